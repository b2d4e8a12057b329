package iqsim

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// maxFilterDepth bounds the nesting of a $filter, so that a hostile one cannot
// exhaust the stack.
const maxFilterDepth = 64

var errFilterEnd = errors.New("filter ends too early")

// filter says whether a document belongs to an answer.
type filter func(document) bool

// operand is one side of a comparison, or an argument of a function.
type operand func(document) any

// parseFilter reads the part of OData's $filter that the provider documents
// and real clients use: eq ne gt ge lt le, and or not, parentheses,
// substringof startswith endswith tolower toupper, and the literals 'x', 1,
// true, null, datetime'…' and guid'…'. A bare word on the right of a
// comparison is a text (OrderList is asked for "statusName eq Completed").
// The empty filter matches everything.
func parseFilter(text string) (filter, error) {
	if strings.TrimSpace(text) == "" {
		return func(document) bool { return true }, nil
	}
	lexemes, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &filterParser{rest: lexemes}
	f, err := p.either(0)
	if err != nil {
		return nil, err
	}
	if len(p.rest) > 0 {
		return nil, fmt.Errorf("filter goes on after its end with %q", p.peek().word)
	}
	return f, nil
}

// filtered keeps the records that the request's $filter asks for.
func filtered(q url.Values, list []*record) ([]*record, error) {
	text := param(q, "$filter", "filter")
	if text == "" {
		return list, nil
	}
	f, err := parseFilter(text)
	if err != nil {
		return nil, err
	}
	kept := list[:0:0]
	for _, rec := range list {
		if f(rec.fields) {
			kept = append(kept, rec)
		}
	}
	return kept, nil
}

type filterParser struct {
	rest []lexeme
}

func (p *filterParser) peek() lexeme {
	if len(p.rest) == 0 {
		return lexeme{}
	}
	return p.rest[0]
}

func (p *filterParser) next() lexeme {
	l := p.peek()
	if len(p.rest) > 0 {
		p.rest = p.rest[1:]
	}
	return l
}

// takeWord consumes the next lexeme if it is that word, in any case.
func (p *filterParser) takeWord(word string) bool {
	if l := p.peek(); l.kind != lexWord || !strings.EqualFold(l.word, word) {
		return false
	}
	p.next()
	return true
}

func (p *filterParser) expect(kind lexKind, what string) error {
	if p.next().kind != kind {
		return fmt.Errorf("filter needs %s", what)
	}
	return nil
}

func (p *filterParser) either(depth int) (filter, error) {
	left, err := p.both(depth)
	if err != nil {
		return nil, err
	}
	for p.takeWord("or") {
		right, err := p.both(depth)
		if err != nil {
			return nil, err
		}
		first := left
		left = func(d document) bool { return first(d) || right(d) }
	}
	return left, nil
}

func (p *filterParser) both(depth int) (filter, error) {
	left, err := p.term(depth)
	if err != nil {
		return nil, err
	}
	for p.takeWord("and") {
		right, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		first := left
		left = func(d document) bool { return first(d) && right(d) }
	}
	return left, nil
}

func (p *filterParser) term(depth int) (filter, error) {
	if depth > maxFilterDepth {
		return nil, fmt.Errorf("filter is nested deeper than %d", maxFilterDepth)
	}
	if p.takeWord("not") {
		inner, err := p.term(depth + 1)
		if err != nil {
			return nil, err
		}
		return func(d document) bool { return !inner(d) }, nil
	}
	if p.peek().kind == lexOpen {
		p.next()
		inner, err := p.either(depth + 1)
		if err != nil {
			return nil, err
		}
		return inner, p.expect(lexClose, "a closing parenthesis")
	}
	return p.comparison(depth)
}
