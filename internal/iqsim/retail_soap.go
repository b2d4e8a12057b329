package iqsim

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
)

// soap serves the inventory services (CMI, VMI). Their credentials stand in
// the XML body and not in a bearer token; every operation answers with an
// empty result of its name. Tags are case-sensitive.
func soap() *router {
	rt := &router{}
	for _, path := range []string{"/VMIService.asmx", "/VMIClientService.asmx", "/CMIService.asmx"} {
		rt.handle(http.MethodPost, path, soapCall)
	}
	return rt
}

func soapCall(r *http.Request, _ captures) answer {
	var body bytes.Buffer
	if _, err := io.Copy(&body, io.LimitReader(r.Body, maxBody)); err != nil {
		return soapFault("the body cannot be read")
	}
	called := soapOperation(body.Bytes())
	if called == "" {
		return soapFault("the body is no SOAP envelope")
	}
	if wanted := soapWanted(r); wanted != "" && wanted != called {
		return soapFault("the body calls " + called + ", the request " + wanted)
	}
	return soapEnvelope(http.StatusOK, "<"+called+"Response xmlns=\"http://www.iqmetrix.com\"><"+called+"Result/></"+called+"Response>")
}

// soapWanted is the operation that the request names outside of its body.
func soapWanted(r *http.Request) string {
	if op := param(r.URL.Query(), "op"); op != "" {
		return op
	}
	action := strings.Trim(r.Header.Get("Soapaction"), `"`)
	return action[strings.LastIndex(action, "/")+1:]
}

// soapOperation is the name of the first element in the envelope's body; empty
// if there is none.
func soapOperation(envelope []byte) string {
	dec := xml.NewDecoder(bytes.NewReader(envelope))
	inBody := false
	for {
		token, err := dec.Token()
		if err != nil {
			return ""
		}
		start, ok := token.(xml.StartElement)
		switch {
		case ok && inBody:
			return start.Name.Local
		case ok && start.Name.Local == "Body":
			inBody = true
		}
	}
}

func soapFault(reason string) answer {
	var text bytes.Buffer
	if err := xml.EscapeText(&text, []byte(reason)); err != nil {
		text.Reset()
	}
	return soapEnvelope(http.StatusInternalServerError,
		"<soap:Fault><faultcode>soap:Client</faultcode><faultstring>"+text.String()+"</faultstring></soap:Fault>")
}

func soapEnvelope(status int, body string) answer {
	return answer{status: status, contentType: "text/xml; charset=utf-8", body: []byte(xml.Header +
		`<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` + body + `</soap:Body></soap:Envelope>`)}
}
