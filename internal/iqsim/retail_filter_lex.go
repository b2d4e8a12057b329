package iqsim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxFilter bounds the length of a $filter, in bytes.
const maxFilter = 16 << 10

type lexKind int8

const (
	lexEnd lexKind = iota
	lexWord
	lexValue
	lexOpen
	lexClose
	lexComma
)

// lexeme is one token of a $filter: a word (field, operator, function) or a
// literal with its value.
type lexeme struct {
	kind  lexKind
	word  string
	value any
}

// number is a numeric literal: its value, and its text for fields that hold
// digits as a string.
type number struct {
	value float64
	text  string
}

// guid is a guid'…' literal: compared without regard to case.
type guid string

// lex splits a $filter into lexemes.
func lex(text string) ([]lexeme, error) {
	if len(text) > maxFilter {
		return nil, fmt.Errorf("filter is longer than %d bytes", maxFilter)
	}
	var found []lexeme
	for at := 0; at < len(text); {
		switch text[at] {
		case ' ', '\t':
			at++
		case '(':
			found = append(found, lexeme{kind: lexOpen})
			at++
		case ')':
			found = append(found, lexeme{kind: lexClose})
			at++
		case ',':
			found = append(found, lexeme{kind: lexComma})
			at++
		default:
			next, n, err := lexOperand(text[at:])
			if err != nil {
				return nil, fmt.Errorf("filter at byte %d: %w", at, err)
			}
			found = append(found, next)
			at += n
		}
	}
	return found, nil
}

// lexOperand reads a literal or a word at the start of text, and its length.
func lexOperand(text string) (lexeme, int, error) {
	if text[0] == '\'' {
		value, n, err := lexQuoted(text)
		return lexeme{kind: lexValue, value: value}, n, err
	}
	end := strings.IndexAny(text, " \t(),'")
	if end < 0 {
		end = len(text)
	}
	word := text[:end]
	if end < len(text) && text[end] == '\'' {
		quoted, n, err := lexQuoted(text[end:])
		if err != nil {
			return lexeme{}, 0, err
		}
		value, err := typedValue(word, quoted)
		return lexeme{kind: lexValue, value: value}, end + n, err
	}
	return plainValue(word), end, nil
}

// lexQuoted reads 'text', where ” stands for a quote, and its length.
func lexQuoted(text string) (string, int, error) {
	var b strings.Builder
	for at := 1; at < len(text); at++ {
		if text[at] != '\'' {
			b.WriteByte(text[at])
			continue
		}
		if at+1 < len(text) && text[at+1] == '\'' {
			b.WriteByte('\'')
			at++
			continue
		}
		return b.String(), at + 1, nil
	}
	return "", 0, fmt.Errorf("quote is not closed in %.40q", text)
}

// typedValue is the value of datetime'…' and guid'…'.
func typedValue(kind, text string) (any, error) {
	switch strings.ToLower(kind) {
	case "datetime", "datetimeoffset":
		t, ok := parseInstant(text)
		if !ok {
			return nil, fmt.Errorf("%q is no date and time", text)
		}
		return t, nil
	case "guid":
		return guid(text), nil
	default:
		return nil, fmt.Errorf("%.40q is no type of literal; use datetime'…' or guid'…'", kind)
	}
}

func plainValue(word string) lexeme {
	switch strings.ToLower(word) {
	case "true":
		return lexeme{kind: lexValue, value: true}
	case "false":
		return lexeme{kind: lexValue, value: false}
	case "null":
		return lexeme{kind: lexValue}
	}
	if c := word[0]; c == '-' || c >= '0' && c <= '9' {
		if n, err := strconv.ParseFloat(word, 64); err == nil {
			return lexeme{kind: lexValue, value: number{n, word}}
		}
	}
	return lexeme{kind: lexWord, word: word}
}

// parseInstant reads the forms of date and time that clients send and services
// write; a missing zone means UTC.
func parseInstant(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
