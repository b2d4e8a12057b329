package proxy

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// rawTarget is a request target cut into the parts that are forwarded, byte
// for byte as they came (r.URL has decoded them).
type rawTarget struct {
	scheme    string // "" but for the absolute form
	authority string
	path      string
	query     string
	hasQuery  bool
}

// splitTarget cuts a target; it judges nothing.
func splitTarget(target string) rawTarget {
	var t rawTarget
	rest := target
	if !strings.HasPrefix(target, "/") {
		if scheme, after, ok := strings.Cut(target, "://"); ok && scheme != "" {
			t.scheme = scheme
			end := strings.IndexAny(after, "/?#")
			if end < 0 {
				end = len(after)
			}
			t.authority, rest = after[:end], after[end:]
		}
	}
	t.path, t.query, t.hasQuery = strings.Cut(rest, "?")
	if t.scheme != "" {
		t.path = orRoot(t.path)
	}
	return t
}

// The reasons for which a target is refused; the texts are public.
var (
	errTargetForm      = errors.New("the request target must be a path that begins with /")
	errTargetUser      = errors.New("the URL has user information (user:password@); remove it and send your key as the gateway's documentation says")
	errTargetSlashes   = errors.New("the path begins with two slashes; remove one")
	errTargetByte      = errors.New(`the request target has a raw space, control byte, # or \; percent-encode spaces, remove the rest`)
	errTargetBackslash = errors.New(`the path has a backslash (\ or %5c); no iQmetrix path needs one`)
	errTargetEscape    = errors.New("the request target has a % that does not begin a valid escape; write a literal % as %25")
	errTargetControl   = errors.New("the path has an encoded control byte")
	errTargetOverlong  = errors.New("the path has an overlong UTF-8 sequence")
	errTargetDots      = errors.New("the path has a . or .. segment (in some encoding); send the path that you mean")
)

// checkPath accepts the paths that have one meaning for everyone on the way.
func checkPath(path string) error {
	if !strings.HasPrefix(path, "/") {
		return errTargetForm
	}
	if strings.HasPrefix(path, "//") {
		return errTargetSlashes
	}
	if err := checkBytes(path); err != nil {
		return err
	}
	if strings.IndexByte(path, '%') < 0 {
		return checkSegments(path)
	}
	decoded, ok := unescape(path)
	if !ok {
		return errTargetEscape
	}
	// Some servers decode twice: a segment must be harmless at every depth.
	for {
		if err := checkDecoded(decoded); err != nil {
			return err
		}
		deeper, ok := unescape(decoded)
		if !ok || deeper == decoded {
			return nil
		}
		decoded = deeper
	}
}

// checkQuery accepts every query that can be forwarded as it is. A ; is no
// matter of syntax: the upstream knows what it means.
func checkQuery(query string) error {
	if err := checkBytes(query); err != nil {
		return err
	}
	for i := strings.IndexByte(query, '%'); i >= 0 && i < len(query); i++ {
		if query[i] == '%' && !isEscape(query[i:]) {
			return errTargetEscape
		}
	}
	return nil
}

// checkBytes refuses what ends or splits a request line, and what net/http
// would re-escape. Bytes beyond ASCII are the caller's choice.
func checkBytes(s string) error {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == 0x7f || c == '#' || c == '\\' {
			return errTargetByte
		}
	}
	return nil
}

func checkDecoded(path string) error {
	for i := range len(path) {
		switch c := path[i]; {
		case c == '\\':
			return errTargetBackslash
		case c < ' ' || c == 0x7f:
			return errTargetControl
		}
	}
	if hasOverlong(path) {
		return errTargetOverlong
	}
	return checkSegments(path)
}

// checkSegments looks for dot segments, also with parameters ("..;p") or
// spaces behind them, which some servers cut.
func checkSegments(path string) error {
	if strings.IndexByte(path, '.') < 0 {
		return nil
	}
	for segment := range strings.SplitSeq(path, "/") {
		segment, _, _ = strings.Cut(segment, ";")
		if segment = strings.TrimRight(segment, " "); segment == "." || segment == ".." {
			return errTargetDots
		}
	}
	return nil
}

// hasOverlong reports whether s has an invalid sequence that a careless decoder
// takes for an ASCII character (%c0%ae for a dot).
func hasOverlong(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 && i+1 < len(s) {
			switch c, next := s[i], s[i+1]; {
			case c == 0xc0 || c == 0xc1:
				return true
			case c == 0xe0 && 0x80 <= next && next < 0xa0, c == 0xf0 && 0x80 <= next && next < 0x90:
				return true
			}
		}
		i += size
	}
	return false
}

// unescape decodes s once; it fails on a bad escape.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		if !isEscape(s[i:]) {
			return "", false
		}
		out = append(out, fromHex(s[i+1])<<4|fromHex(s[i+2]))
		i += 2
	}
	return string(out), true
}

func isEscape(s string) bool {
	return len(s) >= 3 && isHex(s[1]) && isHex(s[2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func fromHex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
