package tokencache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds the decoded answer of a token endpoint; real ones have a
// few hundred bytes.
const maxAnswer = 64 << 10

// answerError is an answer that came but holds no usable token. Its text is
// ours: nothing of the answer is in it.
type answerError string

func (e answerError) Error() string { return string(e) }

// answerGuard lets through answers with exactly one reading and nothing to
// hide: the oauth2 library reads up to 1 MiB, takes text/plain for a form,
// refuses fractions, wraps large negative lifetimes, and prints the body of a
// refusal in its error.
type answerGuard struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper], but for one thing: a 200 without a
// usable token is an error.
func (g answerGuard) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := readBounded(resp.Body)
	if err != nil {
		return nil, err
	}
	clean, err := canonical(resp.StatusCode, body)
	if err != nil {
		return nil, err
	}
	out := *resp
	out.Header = http.Header{"Content-Type": {"application/json"}}
	if after := resp.Header.Get("Retry-After"); after != "" {
		out.Header.Set("Retry-After", after)
	}
	out.Trailer, out.TransferEncoding = nil, nil
	out.ContentLength = int64(len(clean))
	out.Body = io.NopCloser(bytes.NewReader(clean))
	return &out, nil
}

func readBounded(r io.Reader) ([]byte, error) {
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if n > maxAnswer {
		return nil, answerError("the answer is larger than 64 KiB")
	}
	return buf.Bytes(), nil
}

// tokenAnswer is RFC 6749 sections 5.1 and 5.2. iQmetrix sends no token_type.
type tokenAnswer struct {
	AccessToken  string          `json:"access_token,omitempty"`
	TokenType    string          `json:"token_type,omitempty"`
	RefreshToken string          `json:"refresh_token,omitempty"`
	ExpiresIn    json.RawMessage `json:"expires_in,omitempty"`
	Error        string          `json:"error,omitempty"`
}

// canonical rewrites the answer of a token endpoint with the members that the
// gateway uses, each checked.
func canonical(status int, body []byte) ([]byte, error) {
	var a tokenAnswer
	err := json.Unmarshal(body, &a)
	switch {
	case status < 200 || status > 299 || a.Error != "":
		return json.Marshal(tokenAnswer{Error: refusalWord(a.Error)})
	case status != http.StatusOK:
		return nil, answerError("status " + strconv.Itoa(status) + " instead of 200")
	case err != nil:
		return nil, answerError("200, but the body is no JSON object of RFC 6749 section 5.1")
	case a.TokenType != "" && !strings.EqualFold(a.TokenType, "bearer"):
		return nil, answerError("200 with a token_type other than bearer")
	case !isToken(a.AccessToken):
		return nil, answerError("200, but access_token is missing or has characters that no header may carry")
	case a.RefreshToken != "" && !isToken(a.RefreshToken):
		return nil, answerError("200, but refresh_token has characters outside visible ASCII")
	}
	seconds, err := lifetimeSeconds(a.ExpiresIn)
	if err != nil {
		return nil, err
	}
	a.TokenType = "Bearer"
	a.ExpiresIn = strconv.AppendInt(nil, seconds, 10)
	return json.Marshal(a)
}

// refusalWord passes the error codes of RFC 6749 section 5.2 and nothing else
// that an endpoint might put there.
func refusalWord(code string) string {
	known := []string{
		"invalid_request", "invalid_client", "invalid_grant",
		"unauthorized_client", "unsupported_grant_type", "invalid_scope",
	}
	if code == "" || slices.Contains(known, code) {
		return code
	}
	return "unknown_error"
}

// isToken reports whether s can stand behind "Bearer " in a header: visible
// ASCII, at least one.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// lifetimeSeconds reads expires_in: a number or a string of one, fractions cut
// off, more than a day cut to a day. Without it an hour is assumed; 0 and less
// mean that the token is of no use.
func lifetimeSeconds(raw json.RawMessage) (int64, error) {
	text := string(bytes.TrimSpace(raw))
	if text == "" || text == "null" {
		return int64(assumedLifetime / time.Second), nil
	}
	if unquoted, err := strconv.Unquote(text); err == nil {
		text = unquoted
	}
	seconds, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) && seconds > 0:
	case err != nil || math.IsNaN(seconds):
		return 0, answerError("200, but expires_in is no number of seconds")
	case seconds < 1:
		return 0, answerError("200, but expires_in says that the token has already expired")
	}
	return int64(min(seconds, maxLifetime.Seconds())), nil
}
