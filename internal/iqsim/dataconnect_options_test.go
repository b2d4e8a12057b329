package iqsim

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDCDefaults(t *testing.T) {
	want := DataConnectOptions{
		CookieName: "DataConnectState", SessionIdle: Duration(20 * time.Minute), ActiveLimit: 8,
		RowLimit: 1048576, RowLimitStatus: 400,
	}
	if diff := cmp.Diff(want, DataConnectOptions{}.withDefaults()); diff != "" {
		t.Error(diff)
	}
	set := DataConnectOptions{
		CookieName: "x", SessionIdle: 1, ActiveLimit: -1, RowLimit: -1, RowLimitStatus: 422, Overloaded: true,
	}
	if diff := cmp.Diff(set, set.withDefaults()); diff != "" {
		t.Error(diff)
	}
}

func TestDCOptionsFromJSON(t *testing.T) {
	var o DataConnectOptions
	err := json.Unmarshal([]byte(`{"overloaded":true,"hold":"250ms","activeLimit":2,"databases":{"ann":"db1"},"rowLimit":-1}`), &o)
	if err != nil {
		t.Fatal(err)
	}
	want := DataConnectOptions{
		Overloaded: true, Hold: Duration(250 * time.Millisecond), ActiveLimit: 2, RowLimit: -1,
		Databases: map[string]string{"ann": "db1"},
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Error(diff)
	}
	if o.database("ann") != "db1" || o.database("bob") != o.database("eve") || o.database("bob") == "db1" {
		t.Error("databases are mixed up")
	}
}

func TestDCConfigureAtRunTime(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	if a := b.get(t, "/lists/stores"); a.status != 200 {
		t.Fatal(a.status)
	}
	b.configure(DataConnectOptions{Overloaded: true})
	b.get(t, "/lists/stores").wantError(t, 503, "overloaded")
	b.configure(DataConnectOptions{})
	if a := b.get(t, "/lists/stores"); a.status != 200 || b.options().ActiveLimit != 8 {
		t.Errorf("status %d, options %+v", a.status, b.options())
	}
}

func TestDCStatsAsJSON(t *testing.T) {
	text, err := json.Marshal(DataConnectStats{Active: 1, MaxActive: 2, Outbox: []DataConnectMail{{To: "a@b", Attachment: []byte("secret")}}})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"active", "maxActive", "cancelled", "sessionHits", "sessionsOpened", "outbox", "bytesSent"} {
		if _, ok := got[field]; !ok {
			t.Errorf("no %s in %s", field, text)
		}
	}
	mail := got["outbox"].([]any)[0].(map[string]any)
	if mail["to"] != "a@b" || mail["attachment"] != nil || mail["Attachment"] != nil {
		t.Errorf("mail %v", mail)
	}
}
