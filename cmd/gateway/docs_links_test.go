package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// Links between the documents lead somewhere, those with an anchor to a heading.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	links, linked := 0, regexp.MustCompile(`\]\(([^)#\s]*)(#[^)\s]*)?\)`)
	for _, document := range documents(t) {
		for _, match := range linked.FindAllStringSubmatch(prose(readDocument(t, document)), -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			links++
			target := document
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(document), match[1])
			}
			if _, err := os.Stat(filepath.Join("..", "..", target)); err != nil {
				t.Errorf("%s: link to %s: %v", document, match[1], err)
				continue
			}
			if anchor := strings.TrimPrefix(match[2], "#"); anchor != "" && filepath.Ext(target) == ".md" && !anchors(readDocument(t, target))[anchor] {
				t.Errorf("%s: %s has no heading #%s", document, target, anchor)
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d links found", links)
	}
}

// prose is a document without its blocks and without code in lines, which are no
// links whatever they look like.
func prose(text string) string {
	text = regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(text, "")
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllString(text, "`")
}

// anchors are those that GitHub makes of the headings of a document.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	blocks := regexp.MustCompile("(?ms)^```.*?^```")
	for _, match := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(blocks.ReplaceAllString(text, ""), -1) {
		heading := regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`).ReplaceAllString(match[1], "$1")
		slug := strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			default:
				return -1
			}
		}, strings.TrimSpace(heading))
		unique := slug
		for n := 1; found[unique]; n++ {
			unique = fmt.Sprintf("%s-%d", slug, n)
		}
		found[unique] = true
	}
	return found
}

func TestAnchors(t *testing.T) {
	t.Parallel()
	got := anchors("# What's new? `a.b`\n## Same\n```sh\n# no heading\n```\n## Same\n## a [link](b.md) here\n")
	for _, want := range []string{"whats-new-ab", "same", "same-1", "a-link-here"} {
		if !got[want] {
			t.Errorf("no %s in %v", want, got)
		}
	}
	if len(got) != 4 {
		t.Errorf("found %v", got)
	}
}
