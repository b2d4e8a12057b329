package tls

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"os/exec"
)

// Offer is what a server agrees to, as nmap's ssl-enum-ciphers finds by trying
// everything.
type Offer struct {
	// Ciphers are the suites of each protocol version, such as "TLSv1.2", in
	// their IANA names; those of TLS 1.3 as nmap writes them (TLS_AKE_WITH_…).
	Ciphers map[string][]string
	// Compressors are those of any version.
	Compressors []string
	// Warnings are what nmap does not like.
	Warnings []string
}

// Enumerate runs nmap on an IP address and port.
func Enumerate(ctx context.Context, address string) (Offer, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Offer{}, fmt.Errorf("nmap: %w", err)
	}
	// -sT: needs no privileges, which CI may have or not.
	command := exec.CommandContext(ctx, "nmap", "-sT", "-Pn", "-n", "-p", port, "--script", "ssl-enum-ciphers", "-oX", "-", host)
	var out, failure bytes.Buffer
	command.Stdout, command.Stderr = &out, &failure
	if err := command.Run(); err != nil {
		return Offer{}, fmt.Errorf("nmap: %w\n%s", err, failure.Bytes())
	}
	return readOffer(out.Bytes())
}

// nmapTable is how scripts of nmap structure what they find.
type nmapTable struct {
	Key      string      `xml:"key,attr"`
	Tables   []nmapTable `xml:"table"`
	Elements []struct {
		Key  string `xml:"key,attr"`
		Text string `xml:",chardata"`
	} `xml:"elem"`
}

func readOffer(text []byte) (Offer, error) {
	var run struct {
		Scripts []struct {
			ID string `xml:"id,attr"`
			nmapTable
		} `xml:"host>ports>port>script"`
	}
	if err := xml.Unmarshal(text, &run); err != nil {
		return Offer{}, fmt.Errorf("nmap: %w", err)
	}
	for _, script := range run.Scripts {
		if script.ID == "ssl-enum-ciphers" {
			return offer(script.nmapTable), nil
		}
	}
	return Offer{}, errors.New("nmap: it found no TLS on that port")
}

func offer(script nmapTable) Offer {
	o := Offer{Ciphers: map[string][]string{}}
	for _, version := range script.Tables {
		for _, part := range version.Tables {
			switch part.Key {
			case "ciphers":
				for _, cipher := range part.Tables {
					o.Ciphers[version.Key] = append(o.Ciphers[version.Key], cipher.element("name"))
				}
			case "compressors":
				o.Compressors = append(o.Compressors, part.texts()...)
			case "warnings":
				o.Warnings = append(o.Warnings, part.texts()...)
			}
		}
	}
	return o
}

func (t nmapTable) element(key string) string {
	for _, e := range t.Elements {
		if e.Key == key {
			return e.Text
		}
	}
	return ""
}

func (t nmapTable) texts() []string {
	texts := make([]string, len(t.Elements))
	for i, e := range t.Elements {
		texts[i] = e.Text
	}
	return texts
}
