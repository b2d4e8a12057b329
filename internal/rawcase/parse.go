package rawcase

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Load reads every *.case file of a directory.
func Load(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.case"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no *.case file in %s", dir)
	}
	var cases []Case
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".case")
		found, err := Parse(name, string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		cases = append(cases, found...)
	}
	return cases, nil
}

// Parse reads the cases of one file. name begins the names of its cases.
func Parse(name, text string) ([]Case, error) {
	p := parser{name: name}
	for i, line := range strings.Split(text, "\n") {
		p.line = i + 1
		if err := p.add(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	return p.cases, nil
}

type parser struct {
	name    string
	line    int
	cases   []Case
	block   *[]string   // open block, nil when none is
	connect *Connection // for the next step
}

func (p *parser) add(line string) error {
	if text, ok := strings.CutPrefix(line, "  "); ok {
		if p.block == nil {
			return errors.New("an indented line outside of a block")
		}
		*p.block = append(*p.block, text)
		return nil
	}
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	keyword, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if keyword == "case" {
		return p.begin(rest)
	}
	if len(p.cases) == 0 {
		return errors.New("the first keyword must be case")
	}
	p.block = nil
	c := &p.cases[len(p.cases)-1]
	if done, err := p.caseKeyword(c, keyword, rest); done || err != nil {
		return err
	}
	if len(c.Steps) == 0 {
		return fmt.Errorf("%q before the first send, or unknown", keyword)
	}
	return stepKeyword(&c.Steps[len(c.Steps)-1], keyword, rest)
}

func (p *parser) begin(name string) error {
	if name == "" {
		return errors.New("a case needs a name")
	}
	if err := p.end(); err != nil {
		return err
	}
	p.cases = append(p.cases, Case{Name: p.name + "/" + name, Line: p.line})
	p.block, p.connect = nil, &Connection{}
	return nil
}

// end checks the last case: one without expectations would prove nothing.
func (p *parser) end() error {
	if len(p.cases) == 0 {
		return nil
	}
	c := p.cases[len(p.cases)-1]
	if len(c.Steps) == 0 {
		return fmt.Errorf("the case %q sends nothing", c.Name)
	}
	for _, s := range c.Steps {
		if len(s.Answers) == 0 {
			return fmt.Errorf("the case %q has a step without status", c.Name)
		}
	}
	return nil
}

// caseKeyword handles what begins a step or holds for the whole case.
func (p *parser) caseKeyword(c *Case, keyword, rest string) (done bool, err error) {
	switch keyword {
	case "connect":
		p.connect, err = parseConnect(rest)
	case "send":
		c.Steps = append(c.Steps, Step{Connect: p.connect, EOF: rest == "eof"})
		p.block, p.connect = &c.Steps[len(c.Steps)-1].Send, nil
	case "reply":
		c.Replies = append(c.Replies, Reply{Close: rest == "close"})
		p.block = &c.Replies[len(c.Replies)-1].Bytes
	case "upstream_requests":
		c.UpstreamRequests, err = parseRange(rest)
	case "upstream_complete":
		c.UpstreamComplete, err = parseRange(rest)
	case "upstream_target":
		c.UpstreamTargets = append(c.UpstreamTargets, rest)
	case "upstream_contains":
		c.UpstreamContains = append(c.UpstreamContains, rest)
	case "upstream_absent":
		c.UpstreamAbsent = append(c.UpstreamAbsent, rest)
	default:
		return false, nil
	}
	return true, err
}

func stepKeyword(s *Step, keyword, rest string) error {
	switch keyword {
	case "status":
		s.Answers = append(s.Answers, strings.Split(rest, "|"))
	case "close":
		s.Close = true
	case "open":
		s.Open = true
	case "contains":
		s.Contains = append(s.Contains, rest)
	case "absent":
		s.Absent = append(s.Absent, rest)
	default:
		return fmt.Errorf("unknown keyword %q", keyword)
	}
	return nil
}

func parseConnect(rest string) (*Connection, error) {
	c := &Connection{}
	for word := range strings.FieldsSeq(rest) {
		switch name, ok := strings.CutPrefix(word, "sni="); {
		case ok:
			c.ServerName = name
		case word == "h2":
			c.HTTP2 = true
		case word != "h1":
			return nil, fmt.Errorf("connect: %q is neither h1, h2 nor sni=NAME", word)
		}
	}
	return c, nil
}

func parseRange(rest string) (*Range, error) {
	low, high, ok := strings.Cut(rest, "..")
	if !ok {
		high = low
	}
	lowest, err1 := strconv.Atoi(low)
	highest, err2 := strconv.Atoi(high)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("a count is N or N..M: %w", err)
	}
	return &Range{lowest, highest}, nil
}
