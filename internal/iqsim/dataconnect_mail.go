package iqsim

import (
	"net/http"
	"strings"
	"time"
)

// attachmentKept is how much of a mailed report the outbox keeps, in bytes.
const attachmentKept = 4 << 10

// mailSink counts an attachment and keeps its start.
type mailSink struct {
	ready func() error // as in dcSink
	size  int64
	head  []byte
}

// Write takes one chunk of the attachment.
func (s *mailSink) Write(chunk []byte) (int, error) {
	if err := s.ready(); err != nil {
		return 0, err
	}
	s.size += int64(len(chunk))
	s.head = append(s.head, chunk[:min(len(chunk), attachmentKept-len(s.head))]...)
	return len(chunk), nil
}

// mail puts t into the outbox, an effect that a GET has too, and answers with a
// confirmation.
func (d *dataConnect) mail(w http.ResponseWriter, r *http.Request, q dcRequest, t dcTable) error {
	to, err := q.params.require("Email.To")
	if err != nil {
		return err
	}
	if !strings.Contains(to, "@") {
		return refusef(http.StatusBadRequest, "Email.To is not an e-mail address: %q.", to)
	}
	sink := &mailSink{ready: pacer(r.Context(), time.Duration(q.options.ChunkPause))}
	if err := q.format.write(sink, t); err != nil {
		d.cut()
	}
	subject := q.params.get("Email.Subject")
	if subject == "" {
		subject = t.name
	}
	d.counters.post(DataConnectMail{
		At:         q.now,
		Account:    q.call.Account,
		Path:       r.URL.Path,
		To:         to,
		Cc:         q.params.get("Email.Cc"),
		Subject:    subject,
		Filename:   q.format.filename(q.params, t.name, q.now),
		MediaType:  q.format.mediaType,
		Compressed: q.params.flag("Email.Compress", false),
		Size:       sink.size,
		Attachment: sink.head,
	})
	q.format, _ = parseDCFormat(nil) // the default always parses
	q.params = nil
	confirmation := smallTable("mail", []dcColumn{{"Error", "bit", 0}, {"Message", "varchar", 400}},
		[]dcCell{cellBool(false), cellText("The report will be sent to " + to + ".")})
	confirmation.object = true
	d.send(w, r, q, confirmation)
	return nil
}
