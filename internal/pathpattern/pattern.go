// Package pathpattern matches URL paths against the patterns of the catalogue
// and the configuration, such as "/v1/Companies({company})/Customers**".
//
// A pattern is compared with the path as it stands on the wire:
//
//   - {name} stands for one or more bytes other than '/', '(' and ')';
//   - ** at the end stands for any rest, also for none;
//   - everything else stands for itself, case included.
//
// Grants and cache rules match the raw path. Restrictions must also hold for
// what the upstream would read, so they are matched with [Pattern.MatchFolded]
// against the [Fold] of the path.
package pathpattern

import (
	"cmp"
	"fmt"
	"strings"
)

// Pattern is one parsed pattern. The zero value matches nothing; a Pattern is
// immutable and safe for concurrent use.
type Pattern struct {
	text   string
	tokens []token
	folded []token
}

type tokenKind int8

// In the order of specificity: the smaller, the more specific.
const (
	literal tokenKind = iota
	param
	rest
)

type token struct {
	kind tokenKind
	text string // of a literal
	name string // of a parameter
}

// Parse reads a pattern. The error says what is wrong and where in the text
// (byte offset from 0).
func Parse(text string) (Pattern, error) {
	if !strings.HasPrefix(text, "/") {
		return Pattern{}, fmt.Errorf("pattern %q must begin with /", text)
	}
	tokens, err := tokenize(text)
	if err != nil {
		return Pattern{}, fmt.Errorf("pattern %q: %w", text, err)
	}
	folded, err := foldTokens(tokens)
	if err != nil {
		return Pattern{}, fmt.Errorf("pattern %q: %w", text, err)
	}
	return Pattern{text, tokens, folded}, nil
}

// MustParse is [Parse] for patterns that are constants of the program.
func MustParse(text string) Pattern {
	p, err := Parse(text)
	if err != nil {
		panic("pathpattern: " + err.Error())
	}
	return p
}

// foldTokens folds the literals as [Fold] folds a path; only the last one
// loses its trailing slash.
func foldTokens(tokens []token) ([]token, error) {
	folded := make([]token, len(tokens))
	for i, t := range tokens {
		text, err := foldText(t.text)
		if err != nil {
			return nil, err
		}
		if i == len(tokens)-1 {
			text = trimSlash(text, i == 0)
		}
		folded[i] = token{t.kind, text, t.name}
	}
	return folded, nil
}

func tokenize(text string) ([]token, error) {
	var tokens []token
	for i := 0; i < len(text); {
		switch {
		case text[i:] == "**":
			return append(tokens, token{kind: rest}), nil
		case text[i] == '{':
			end := strings.IndexByte(text[i:], '}')
			if end < 0 {
				return nil, fmt.Errorf("{ at byte %d is not closed", i)
			}
			if end == 1 {
				return nil, fmt.Errorf("{} at byte %d has no name", i)
			}
			if n := len(tokens); n > 0 && tokens[n-1].kind == param {
				return nil, fmt.Errorf("two parameters touch at byte %d", i)
			}
			tokens = append(tokens, token{kind: param, name: text[i+1 : i+end]})
			i += end + 1
		default:
			end := i + 1
			for end < len(text) && text[end] != '{' && text[end:] != "**" {
				end++
			}
			part := text[i:end]
			if at := strings.IndexAny(part, "}*?#"); at >= 0 {
				return nil, fmt.Errorf("%q at byte %d cannot stand in a pattern (** only at its end)", part[at:at+1], i+at)
			}
			tokens = append(tokens, token{kind: literal, text: part})
			i = end
		}
	}
	return tokens, nil
}

// String returns the pattern as it was written.
func (p Pattern) String() string { return p.text }

// IsZero reports whether p is the zero Pattern.
func (p Pattern) IsZero() bool { return p.text == "" }

// Match reports whether the raw (escaped) path matches.
func (p Pattern) Match(path string) bool { return match(p.tokens, path, nil) }

// MatchFolded reports whether a path that [Fold] returned matches, without
// regard to case.
func (p Pattern) MatchFolded(folded string) bool { return match(p.folded, folded, nil) }

// match needs no backtracking. A literal with one of the bytes that end a
// parameter can follow it at one place only; of the places of any other
// literal the first is as good as every later one, as the next parameter can
// hold what lies between. found, where it is not nil, is told what each
// parameter stands for, also when the rest does not match.
func match(tokens []token, path string, found func(name, value string)) bool {
	if found == nil {
		found = func(string, string) {}
	}
	for i := 0; i < len(tokens); i++ {
		switch tokens[i].kind {
		case rest:
			return true
		case literal:
			var ok bool
			if path, ok = strings.CutPrefix(path, tokens[i].text); !ok {
				return false
			}
		case param:
			value, after, ok := cutParam(tokens[i+1:], path)
			if !ok || !fitsParam(value) {
				return false
			}
			found(tokens[i].name, value)
			path = after
			i++ // what follows is consumed too
		}
	}
	return path == "" && len(tokens) > 0
}

// cutParam cuts path into what a parameter stands for and what comes after the
// token that follows it; next are the tokens after the parameter.
func cutParam(next []token, path string) (value, after string, ok bool) {
	switch {
	case len(next) == 0:
		return path, "", true
	case next[0].kind == rest:
		if end := strings.IndexAny(path, "/()"); end >= 0 {
			return path[:end], "", true
		}
		return path, "", true
	case len(next) == 1:
		value, ok = strings.CutSuffix(path, next[0].text)
		return value, "", ok
	default:
		return cutAfterFirst(path, next[0].text)
	}
}

func fitsParam(value string) bool {
	return value != "" && !strings.ContainsAny(value, "/()")
}

// cutAfterFirst is [strings.Cut] with a value of at least one byte.
func cutAfterFirst(s, sep string) (before, after string, found bool) {
	if s == "" {
		return "", "", false
	}
	at := strings.Index(s[1:], sep)
	if at < 0 {
		return "", "", false
	}
	return s[:at+1], s[at+1+len(sep):], true
}

// Compare orders patterns by specificity: negative when p is more specific
// than q, zero when both have the same shape (which is an ambiguity when both
// stand in one list). The first difference decides: a literal before a
// parameter before **, and among literals the longer.
func Compare(p, q Pattern) int {
	for i := range min(len(p.tokens), len(q.tokens)) {
		a, b := p.tokens[i], q.tokens[i]
		if a.kind != b.kind {
			return cmp.Compare(a.kind, b.kind)
		}
		if a.text == b.text {
			continue
		}
		if c := cmp.Compare(len(b.text), len(a.text)); c != 0 {
			return c
		}
		return strings.Compare(a.text, b.text)
	}
	return compareTails(p.tokens, q.tokens)
}

// compareTails decides between a pattern and one that continues it.
func compareTails(a, b []token) int {
	switch {
	case len(a) == len(b):
		return 0
	case len(a) < len(b):
		return -compareTails(b, a)
	case a[len(b)].kind == rest: // "/v1/x**" beside "/v1/x"
		return 1
	default:
		return -1
	}
}
