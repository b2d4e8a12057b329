package iqsim

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestDCMail(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	tests := []struct {
		query, confirmed string
		want             DataConnectMail
	}{
		{
			"Response=Csv.Email&Email.To=ops%40example.com&Email.Cc=c@example.com&Email.Subject=Stores&Email.Compress=true&CSV.Delimiter=;",
			"ops@example.com",
			DataConnectMail{
				To: "ops@example.com", Cc: "c@example.com", Subject: "Stores", Compressed: true,
				Filename: "stores-2019-10-02.csv", MediaType: "text/csv",
			},
		},
		{
			"Response=XML.EMAIL&Email.To=a@b&Filename=report", "a@b",
			DataConnectMail{To: "a@b", Subject: "stores", Filename: "report.xml", MediaType: "text/xml"},
		},
		{
			"Response=Excel.Email&Email.To=a@b", "a@b",
			DataConnectMail{To: "a@b", Subject: "stores", Filename: "stores-2019-10-02.xlsx", MediaType: mediaXLSX},
		},
	}
	for i, tt := range tests {
		a := b.get(t, "/lists/stores?"+tt.query)
		if want := `{"Error":false,"Message":"The report will be sent to ` + tt.confirmed + `."}`; a.body != want || a.status != 200 {
			t.Errorf("%s: %d %s", tt.query, a.status, a.body)
		}
		if a.header.Get("Content-Type") != "application/json" || a.header.Get("Content-Disposition") != "" {
			t.Errorf("%s: header %v", tt.query, a.header)
		}
		tt.want.At, tt.want.Account, tt.want.Path = dcNow(), "ann", "/lists/stores"
		outbox := b.stats().Outbox
		if len(outbox) != i+1 {
			t.Fatalf("%d mails after %d", len(outbox), i+1)
		}
		got := outbox[i]
		if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(DataConnectMail{}, "Attachment", "Size")); diff != "" {
			t.Error(diff)
		}
		if got.Size == 0 || int64(len(got.Attachment)) != min(got.Size, attachmentKept) {
			t.Errorf("attachment of %d bytes, %d kept", got.Size, len(got.Attachment))
		}
	}
	if !strings.HasPrefix(string(b.stats().Outbox[0].Attachment), "StoreID;StoreName;") {
		t.Errorf("%s", b.stats().Outbox[0].Attachment)
	}
}

// A mailed session sends the token away: why a gateway must not forward it.
func TestDCMailedSessionHoldsTheToken(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	r := b.request(t, http.MethodPost, "/session", "Response=Csv.Email&Email.To=thief@example.com")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a := b.do(t, r)
	outbox := b.stats().Outbox
	if len(outbox) != 1 || !strings.Contains(string(outbox[0].Attachment), "token-ann") || strings.Contains(a.body, "token-ann") {
		t.Errorf("%v %s", outbox, a.body)
	}
}

func TestDCMailOfALongReport(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	b.get(t, "/reports/export?Size=3000000&Response=Csv.Email&Email.To=a@b")
	if got := b.stats().Outbox[0]; got.Size != 3_000_000 || len(got.Attachment) != attachmentKept {
		t.Errorf("%d bytes, %d kept", got.Size, len(got.Attachment))
	}
	if n := b.stats().BytesSent; n > 1000 {
		t.Errorf("%d bytes were sent to the client", n)
	}
}

func TestDCMailRefuses(t *testing.T) {
	b := startDC(t, DataConnectOptions{})
	b.get(t, "/lists/stores?Response=Csv.Email").wantError(t, 400, "Email.To is required.")
	b.get(t, "/lists/stores?Response=Csv.Email&Email.To=nobody").wantError(t, 400, "not an e-mail address")
	if n := len(b.stats().Outbox); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestDCOutboxIsBounded(t *testing.T) {
	var c dcCounters
	for i := range outboxSize + 5 {
		c.post(DataConnectMail{Size: int64(i)})
	}
	box := c.snapshot().Outbox
	if len(box) != outboxSize || box[0].Size != 5 || box[outboxSize-1].Size != outboxSize+4 {
		t.Errorf("%d mails, from %d", len(box), box[0].Size)
	}
}
