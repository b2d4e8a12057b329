package iqsim

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDCQuery(t *testing.T) {
	tests := []struct {
		name, raw string
		want      dcParams
	}{
		{"nothing", "", dcParams{}},
		{"names have no case", "STARTDATE=a&stopDate=b", dcParams{"startdate": "a", "stopdate": "b"}},
		{"a raw semicolon is data", "CSV.Delimiter=;&Filename=x", dcParams{"csv.delimiter": ";", "filename": "x"}},
		{"within a value too", "a=1;b=2&c=3", dcParams{"a": "1;b=2", "c": "3"}},
		{"an escaped semicolon", "CSV.Delimiter=%3B", dcParams{"csv.delimiter": ";"}},
		{"plus is a blank", "a=b+c%2Bd", dcParams{"a": "b c+d"}},
		{"a broken escape stands for itself", "a=100%&b=%zz&c=%4", dcParams{"a": "100%", "b": "%zz", "c": "%4"}},
		{"repeated names are joined", "id=1&ID=2", dcParams{"id": "1,2"}},
		{"without a value", "a&b=", dcParams{"a": "", "b": ""}},
		{"without a name", "=x&&y=1", dcParams{"y": "1"}},
		{"an escaped name", "CSV%2EHeaders=false", dcParams{"csv.headers": "false"}},
		{"equals signs in a value", "f=a=b", dcParams{"f": "a=b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parseDCQuery(tt.raw)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzDCQuery compares with net/url wherever net/url accepts the query.
func FuzzDCQuery(f *testing.F) {
	for _, seed := range []string{"", "a=b", "CSV.Delimiter=;&x=1", "a=%zz", "a=%41+b", "&&=", "A=1&a=2", "%3D=%26", "é=\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := parseDCQuery(raw)
		for name, value := range got {
			if name != strings.ToLower(name) {
				t.Errorf("name %q is not folded", name)
			}
			if strings.Count(raw, "&") == 0 && len(value) > len(raw) {
				t.Errorf("%q grew to %q", raw, value)
			}
		}
		want, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		for name, values := range want {
			if name == "" || len(want) != len(got) || strings.Contains("&"+raw, "&=") {
				continue // differ on purpose: empty names, names that only differ in case
			}
			if joined := strings.Join(values, ","); got.get(name) != joined {
				t.Errorf("%q: %q = %q, net/url says %q", raw, name, got.get(name), joined)
			}
		}
	})
}

func TestDCParamsOfBody(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	tests := []struct {
		name, method, query, contentType, body string
		want                                   dcParams
		wantErr                                string
	}{
		{
			"the URL wins over the body", http.MethodPost, "Response=Csv", form, "response=Xml&Table=t",
			dcParams{"response": "Csv", "table": "t"},
			"",
		},
		{"a semicolon in a form", http.MethodPost, "", form, "CSV.Delimiter=;", dcParams{"csv.delimiter": ";"}, ""},
		{"a form with a charset", http.MethodPost, "", form + "; charset=utf-8", "a=1", dcParams{"a": "1"}, ""},
		{
			"a JSON object", http.MethodPost, "b=url", "application/json", `{"A":"x","b":2,"c":1.50,"d":true,"e":null}`,
			dcParams{"a": "x", "b": "url", "c": "1.50", "d": "true"},
			"",
		},
		{"a nested JSON object", http.MethodPost, "", "application/json", `{"a":{"b":1}}`, nil, "a must be"},
		{"a JSON array", http.MethodPost, "", "application/json", `[1]`, nil, "not a JSON object"},
		{"a body of another type", http.MethodPost, "a=1", "text/plain", "b=2", dcParams{"a": "1"}, ""},
		{"a GET ignores its body", http.MethodGet, "a=1", form, "b=2", dcParams{"a": "1"}, ""},
		{"a body too large", http.MethodPost, "", form, strings.Repeat("a", dcBodyLimit+1), nil, "exceeds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, "/?"+tt.query, strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.contentType)
			got, err := readDCParams(r)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzDCBody(f *testing.F) {
	f.Add("application/json", `{"a":"b","c":1}`)
	f.Add("application/json; charset=utf-8", `{"A":1,"a":2}`)
	f.Add("application/x-www-form-urlencoded", "a=b;c")
	f.Add("text/plain;;", "x")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		p, err := parseDCBody(contentType, []byte(body))
		if (p == nil) == (err == nil) {
			t.Errorf("%v and %v", p, err)
		}
		for name := range p {
			if p.get(strings.ToUpper(name)) != p[name] && strings.ToLower(strings.ToUpper(name)) == name {
				t.Errorf("%q is not found in another case", name)
			}
		}
	})
}

func TestDCParamTypes(t *testing.T) {
	p := parseDCQuery("yes=True&no=0&odd=maybe&n=12&bad=1x")
	if !p.flag("Yes", false) || p.flag("NO", true) || !p.flag("odd", true) || p.flag("odd", false) || !p.flag("none", true) {
		t.Error("flags are misread")
	}
	if n, ok, err := p.number("N"); n != 12 || !ok || err != nil {
		t.Errorf("n = %d, %v, %v", n, ok, err)
	}
	if _, ok, err := p.number("none"); ok || err != nil {
		t.Errorf("a missing number: %v, %v", ok, err)
	}
	if _, _, err := p.number("bad"); err == nil || err.Error() != `bad must be a whole number, not "1x".` {
		t.Errorf("error %v", err)
	}
	if _, err := p.require("StartDate"); err == nil || err.Error() != "StartDate is required." {
		t.Errorf("error %v", err)
	}
}
