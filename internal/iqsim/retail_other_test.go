package iqsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

func TestReference(t *testing.T) {
	runCases(t, []retailCase{
		{
			name:   "countries",
			target: "/reference/v1/Countries", status: 200,
			claims: []string{"0.Code=CA", "0.States.#=6", "0.States.5.Code=SK", "0.Version=1"},
		},
		{name: "country", target: "/reference/v1/Countries(US)", status: 200, claims: []string{"Name=United States"}},
		{name: "unknown country", target: "/reference/v1/Countries(XX)", status: 404},
		{name: "time zones", target: "/reference/v1/TimeZones", status: 200, claims: []string{"#=4"}},
		{name: "currencies", target: "/reference/v1/Currencies", status: 200, claims: []string{"1.Code=USD"}},
		{name: "read only", method: "POST", target: "/reference/v1/Currencies", status: 405},
	})
}

// multipartBody has one part per name; "field" parts are no files.
func multipartBody(t *testing.T, names ...string) (body, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range names {
		create := w.CreateFormFile
		if name == "field" {
			create = func(field, _ string) (io.Writer, error) {
				return w.CreateFormField(field)
			}
		}
		part, err := create("part", name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, "content of "+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestAssets(t *testing.T) {
	s := startRetail(t)
	body, contentType := multipartBody(t, "field", "phone.png")
	uploaded := s.send(http.MethodPost, "/ams/assets", body, "Content-Type", contentType)
	uploaded.want(200, "name=phone.png", "mimeType=application/octet-stream", "md5Checksum=b743d31c4beeefcac5c696e9c8836aca",
		"href="+s.URL+"/ams/images/"+uploaded.value("id")+"/content")
	id := uploaded.value("id")
	s.send(http.MethodGet, "/ams/assets/"+id, "").want(200, "id="+id)
	image := s.send(http.MethodGet, "/ams/images/"+id, "").want(303)
	location := image.header.Get("Location")
	if location != uploaded.value("href") {
		t.Fatalf("Location = %q, want the absolute href %q", location, uploaded.value("href"))
	}
	if file := s.send(http.MethodGet, strings.TrimPrefix(location, s.URL), "").want(200); file.body != "content of phone.png" {
		t.Errorf("file = %q", file.body)
	}
	for _, target := range []string{"/ams/assets/x", "/ams/images/x", "/ams/images/x/content"} {
		s.send(http.MethodGet, target, "").want(404)
	}
}

func TestAssetsRefused(t *testing.T) {
	s := startRetail(t)
	const text = "Message=Exactly one file must be uploaded as multipart/form-data"
	for _, names := range [][]string{{}, {"field"}, {"a.png", "b.png"}} {
		body, contentType := multipartBody(t, names...)
		s.send(http.MethodPost, "/ams/assets", body, "Content-Type", contentType).want(400, text)
	}
	s.send(http.MethodPost, "/ams/assets", "{}", "Content-Type", typeJSON).want(400, text)
	body, contentType := multipartBody(t, "a.png")
	s.send(http.MethodPost, "/ams/assets", body[:len(body)-20], "Content-Type", contentType).want(400)
}

func TestAssetShelf(t *testing.T) {
	var shelf assetShelf
	for n := range maxAssets + 1 {
		shelf.put(fmt.Sprint(n), asset{})
	}
	if _, ok := shelf.get("0"); ok {
		t.Error("the oldest asset is still there")
	}
	if _, ok := shelf.get(fmt.Sprint(maxAssets)); !ok {
		t.Error("the newest asset is not there")
	}
}

func TestCovaOrderIntake(t *testing.T) {
	s := startRetail(t)
	taken := s.json(http.MethodPost, "/api/covaorderintake/v1/CovaOrder", `{"CompanyId":14146,"EntityId":14202}`).want(202, "Status=Pending")
	want := s.URL + "/pointofsale/Companies(14146)/Sales(" + taken.value("Id") + ")"
	if got := taken.header.Get("Location"); got != want {
		t.Errorf("Location = %q, want %q", got, want)
	}
	s.json(http.MethodGet, "/api/covaorderintake/v1/Companies(14146)/CovaOrder("+taken.value("Id")+")/Status", "").want(200, "Status=Created")
	s.json(http.MethodGet, "/order/v1/Companies(14146)/Orders("+taken.value("Id")+")", "").want(200, "State=Created")
	s.json(http.MethodGet, "/api/covaorderintake/v1/CovaOrder(x)/Status", "").want(404)

	paid := s.json(http.MethodPost, "/api/covaorderintake/v1/CovaOrderPayment", `{}`).want(202)
	if paid.body != "" || paid.header.Get("Content-Type") != typeText || paid.header.Get("Location") == "" {
		t.Errorf("payment = %q, %v; want an empty text with a Location", paid.body, paid.header)
	}
	s.json(http.MethodPost, "/api/covaorderintake/v1/CovaOrder", `x`).want(400)
	s.json(http.MethodPost, "/api/covaorderintake/v1/CovaOrderPayment", `x`).want(400)
}

func TestPurchaseOrders(t *testing.T) {
	runCases(t, []retailCase{
		{name: "none yet", target: "/api/rqpurchaseorders/PurchaseOrders", status: 200, claims: []string{"#=0"}},
		{
			name:   "create",
			method: "POST", target: "/api/rqpurchaseorders/PurchaseOrders",
			body:   `{"PurchaseOrderGuid":"g-1","VendorId":7}`,
			status: 201,
			claims: []string{"Id=g-1", "State=Created"},
		},
		{
			name:   "create with the same GUID",
			method: "POST", target: "/api/rqpurchaseorders/PurchaseOrders",
			body:   `{"PurchaseOrderGuid":"g-1","VendorId":8}`,
			status: 200,
			claims: []string{"VendorId=7"},
		},
		{
			name:   "create without a GUID",
			method: "POST", target: "/api/rqpurchaseorders/v1/Companies(14146)/PurchaseOrders", body: `{}`, status: 201,
		},
		{name: "create from no JSON", method: "POST", target: "/api/rqpurchaseorders/PurchaseOrders", body: `x`, status: 400},
		{name: "list", target: "/api/rqpurchaseorders/Companies(14146)/PurchaseOrders", status: 200, claims: []string{"#=2"}},
		{name: "one", target: "/api/rqpurchaseorders/PurchaseOrders(G-1)", status: 200, claims: []string{"VendorId=7"}},
		{name: "unknown", target: "/api/rqpurchaseorders/PurchaseOrders(x)", status: 404},
		{
			name:   "another service behind the host",
			target: "/api/vendorinventory/v1/Companies(3)/Stock", status: 200,
			claims: []string{"Companies=3", "Resource=Stock"},
		},
	})
}

func TestSiblingURL(t *testing.T) {
	tests := []struct{ base, want string }{
		{"http://127.0.0.1:19900/api", "http://127.0.0.1:19900/pointofsale"},
		{"http://127.0.0.1:19900/~rc/api", "http://127.0.0.1:19900/~rc/pointofsale"},
		{"https://apidemo.iqmetrix.net", "https://pointofsaledemo.iqmetrix.net"},
		{"https://api.iqmetrix.net", "https://pointofsale.iqmetrix.net"},
		{"", "https://pointofsale.iqmetrix.net"},
		{"://", "https://pointofsale.iqmetrix.net"},
		{"http://other.example", "http://other.example"},
	}
	for _, tt := range tests {
		if got := siblingURL(tt.base, "api", "pointofsale"); got != tt.want {
			t.Errorf("siblingURL(%q) = %q, want %q", tt.base, got, tt.want)
		}
	}
}

func TestAppendText(t *testing.T) {
	for _, text := range []string{"", "Companies(1)?$skip=0&$top=5", `a"b`, `a\b`, "tab\t", "naïve", "\x7f", "<&>"} {
		var back string
		if err := json.Unmarshal(appendText(nil, text), &back); err != nil || back != text {
			t.Errorf("appendText(%q) = %s, reads back as %q, %v", text, appendText(nil, text), back, err)
		}
	}
}

func TestUserManager(t *testing.T) {
	const users = "/usermanager/v1/Users"
	runCases(t, []retailCase{
		{name: "a page is 30", target: "/usermanager/v1/Entities(14146)/Users", status: 200, claims: []string{"#=30"}},
		{name: "a page may be 100", target: "/usermanager/v1/Entities(14146)/Users?$top=100", status: 200, claims: []string{"#=42"}},
		{name: "more is refused", target: "/usermanager/v1/Entities(14146)/Users?$top=101", status: 400},
		{name: "less is refused", target: "/usermanager/v1/Entities(14146)/Users?$top=0", status: 400},
		{name: "another company has none", target: "/usermanager/v1/Entities(1)/Users", status: 200, claims: []string{"#=0"}},
		{name: "user", target: users + "(22041)", status: 200, claims: []string{"IsLocked=true"}},
		{name: "unknown user", target: users + "(1)", status: 404},
		{name: "GET Unlock reads", target: users + "(22041)/Unlock", status: 200, claims: []string{"IsLocked=true"}},
		{name: "GET Unlock changed nothing", target: users + "(22041)", status: 200, claims: []string{"Version=1"}},
		{
			name:   "POST Unlock unlocks",
			method: "POST", target: users + "(22041)/Unlock", status: 200,
			claims: []string{"IsLocked=false", "Version=2"},
		},
		{
			name:   "POST Lock locks",
			method: "POST", target: users + "(22041)/Lock", status: 200,
			claims: []string{"IsLocked=true", "Version=3"},
		},
		{
			name:   "update, Version optional",
			method: "PUT", target: users + "(22041)", body: `{"JobTitle":"Boss"}`, status: 200,
			claims: []string{"JobTitle=Boss", "Version=4", "LastName=42"},
		},
		{
			name:   "update, Version stale",
			method: "PUT", target: users + "(22041)", body: `{"Version":1}`, status: 409,
			claims: []string{"Message=User version mismatch"},
		},
		{name: "update from no JSON", method: "PUT", target: users + "(22041)", body: `x`, status: 400},
		{name: "update an unknown user", method: "PUT", target: users + "(1)", body: `{}`, status: 404},
		{name: "delete deactivates", method: "DELETE", target: users + "(22041)", status: 200, claims: []string{"IsActive=false"}},
		{name: "GET Unlock of an unknown user", target: users + "(1)/Unlock", status: 404},
		{
			name:   "security roles",
			target: "/usermanager/v1/Entities(14146)/SecurityRoles", status: 200,
			claims: []string{"Entities=14146"},
		},
	})
}

func TestSOAP(t *testing.T) {
	envelope := func(op string) string {
		return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><` + op + `><Username>u</Username></` + op + `></soap:Body></soap:Envelope>`
	}
	tests := []struct {
		name, target, action, body string
		status                     int
		want                       string
	}{
		{"operation in the query", "/vmi/VMIService.asmx?op=GetInventoryList", "", envelope("GetInventoryList"), 200, "<GetInventoryListResult/>"},
		{"operation in SOAPAction", "/vmi10/VMIClientService.asmx", `"http://www.iqmetrix.com/Ping"`, envelope("Ping"), 200, "<PingResult/>"},
		{"tags are case-sensitive", "/vmi/VMIService.asmx?op=Ping", "", envelope("ping"), 500, "the body calls ping, the request Ping"},
		{"no envelope", "/vmi/VMIService.asmx", "", "{}", 500, "no SOAP envelope"},
		{"nothing called", "/vmi/VMIService.asmx", "", "<Envelope><Body></Body></Envelope>", 500, "no SOAP envelope"},
	}
	s := startRetail(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := s.send(http.MethodPost, tt.target, tt.body, "SOAPAction", tt.action, "Content-Type", "text/xml")
			if g.status != tt.status || !strings.Contains(g.body, tt.want) || !strings.HasPrefix(g.header.Get("Content-Type"), "text/xml") {
				t.Errorf("answer = %d %s, want %d with %s", g.status, g.body, tt.status, tt.want)
			}
		})
	}
}
