package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"iqgateway/cache"
	"iqgateway/internal/pathpattern"
)

// maxPurgeText bounds what one purge may name, in bytes: it travels with a
// command to every replica.
const maxPurgeText = 2000

// purgeRequest is the body of a purge: which service, and exactly one of the
// others.
type purgeRequest struct {
	Service     string `json:"service,omitempty"`     // name or alias
	Environment string `json:"environment,omitempty"` // "" = all in which a caller can reach the service
	Path        string `json:"path,omitempty"`        // this path, whatever the query
	Pattern     string `json:"pattern,omitempty"`     // all paths that it matches
	URL         string `json:"url,omitempty"`         // this path with exactly this query
	Tag         string `json:"tag,omitempty"`         // all that carry it
	All         bool   `json:"all,omitempty"`         // all of the service, or of all services
	orderWhy
}

// purgeService is a service that can be named.
type purgeService struct {
	cache.ServiceName
	aliases  []string
	upstream *url.URL
	reached  bool     // by some caller
	tags     []string // of its rules
}

// isCalled reports whether a purge may name the service so.
func (s purgeService) isCalled(name string) bool {
	return s.Service == name || slices.Contains(s.aliases, name)
}

// unknownNameError is a purge of what is not configured.
type unknownNameError struct{ text string }

// Error implements error.
func (e unknownNameError) Error() string { return e.text }

// events turns a purge into what is to be dropped: one event for each service
// that it names. The error says what to correct.
func (p purgeRequest) events(known []purgeService) ([]cache.Event, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if strings.Contains(p.URL, "://") {
		return p.absolute(known)
	}
	event, err := p.event()
	if err != nil {
		return nil, err
	}
	services, err := p.services(known)
	if err != nil {
		return nil, err
	}
	if p.Tag != "" {
		if services, err = p.tagged(services); err != nil {
			return nil, err
		}
	}
	if p.Service == "" && p.Environment == "" { // all, or a tag of all services
		return []cache.Event{event}, nil
	}
	events := make([]cache.Event, len(services))
	for i, s := range services {
		events[i] = event
		events[i].Service = s.ServiceName
	}
	return events, nil
}

// check refuses what says nothing, or two things, or names no path or pattern:
// all that can be told without the configuration.
func (p purgeRequest) check() error {
	given := 0
	for _, is := range []bool{p.Path != "", p.Pattern != "", p.URL != "", p.Tag != "", p.All} {
		if is {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("say what to purge, by exactly one of path, pattern, url, tag and all")
	case len(p.Path)+len(p.Pattern)+len(p.URL)+len(p.Tag) > maxPurgeText:
		return fmt.Errorf("what is named is longer than %d bytes: purge a pattern, or all of the service", maxPurgeText)
	case strings.Contains(p.URL, "://"):
		return nil
	case p.Service == "" && (p.Path != "" || p.Pattern != "" || p.URL != ""):
		return errors.New(`name the service too, as {"service": "crm", "path": "/v1/Companies(1)"}`)
	}
	_, err := p.event()
	return err
}

// event is what to drop, without a service.
func (p purgeRequest) event() (cache.Event, error) {
	switch {
	case p.All && p.Service == "" && p.Environment == "":
		return cache.Event{Kind: cache.DropAll}, nil
	case p.All:
		return cache.Event{Kind: cache.DropService}, nil
	case p.Tag != "":
		return cache.Event{Kind: cache.DropTag, Tag: p.Tag}, nil
	case p.Pattern != "":
		if _, err := pathpattern.Parse(p.Pattern); err != nil {
			return cache.Event{}, err // it names the pattern
		}
		return cache.Event{Kind: cache.DropPattern, Path: p.Pattern}, nil
	case p.Path != "":
		if strings.Contains(p.Path, "?") {
			return cache.Event{}, fmt.Errorf("path %q has a query: leave it out to purge the path whatever the query, or name a url", p.Path)
		}
		folded, err := foldedPath(p.Path)
		return cache.Event{Kind: cache.DropPath, Path: folded}, err
	default:
		path, query, _ := strings.Cut(p.URL, "?")
		folded, err := foldedPath(path)
		return cache.Event{Kind: cache.DropKey, Path: folded, Query: query}, err
	}
}

// foldedPath is how stored answers know a path.
func foldedPath(path string) (string, error) {
	if !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("%q is no path: it begins with / behind the service's own part, as /v1/Companies(1)", path)
	}
	folded, err := pathpattern.Fold(path)
	if err != nil {
		return "", fmt.Errorf("path %q: %w", path, err)
	}
	return folded, nil
}

// services finds those that the purge names. Of the environments that it does
// not name, only those count in which somebody can reach the service: nothing is
// stored of the others.
func (p purgeRequest) services(known []purgeService) ([]purgeService, error) {
	var found, reached []purgeService
	for _, s := range known {
		if (p.Service != "" && !s.isCalled(p.Service)) || (p.Environment != "" && s.Environment != p.Environment) {
			continue
		}
		found = append(found, s)
		if s.reached {
			reached = append(reached, s)
		}
	}
	switch {
	case p.Service == "" && p.Environment == "":
		return found, nil
	case p.Environment == "" && len(reached) > 0:
		return reached, nil
	case len(found) > 0:
		return found, nil
	}
	return nil, p.unknown(known)
}

// tagged are those of services that have a rule with the tag.
func (p purgeRequest) tagged(services []purgeService) ([]purgeService, error) {
	var found []purgeService
	var tags []string
	for _, s := range services {
		tags = append(tags, s.tags...)
		if slices.Contains(s.tags, p.Tag) {
			found = append(found, s)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	of := ""
	if p.Service != "" || p.Environment != "" {
		of = " of " + strings.Trim(p.Environment+"/"+p.Service, "/")
	}
	if len(tags) == 0 {
		return nil, unknownNameError{fmt.Sprintf("no cache rule%s has the tag %q, nor any other: write it into services.NAME.cache.rules[].tags, or purge a path", of, p.Tag)}
	}
	slices.Sort(tags)
	return nil, unknownNameError{fmt.Sprintf("no cache rule%s has the tag %q; there is %s", of, p.Tag, strings.Join(slices.Compact(tags), ", "))}
}

// unknown says what there is in place of what the purge names.
func (p purgeRequest) unknown(known []purgeService) error {
	var choices []string
	for _, s := range known {
		switch {
		case s.Environment == p.Environment:
			choices = append(choices, s.Service)
		case p.Service == "":
			choices = append(choices, s.Environment)
		case s.isCalled(p.Service):
			choices = append(choices, s.Environment+"/"+s.Service)
		}
	}
	what := strings.Trim(p.Environment+"/"+p.Service, "/")
	if p.Service == "" {
		slices.Sort(choices)
		return unknownNameError{fmt.Sprintf("no environment %q is configured; there is %s", what, strings.Join(slices.Compact(choices), ", "))}
	}
	if len(choices) == 0 {
		return unknownNameError{fmt.Sprintf("no service %q is configured: `gateway explain` shows what a request's service is called", what)}
	}
	return unknownNameError{fmt.Sprintf("no service %q is configured; there is %s", what, strings.Join(choices, ", "))}
}

// absolute finds the service of a URL of an upstream.
func (p purgeRequest) absolute(known []purgeService) ([]cache.Event, error) {
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, fmt.Errorf("url %q cannot be read", p.URL)
	}
	best, below := -1, ""
	for i, s := range known {
		if !strings.EqualFold(u.Host, s.upstream.Host) || p.Service != "" && !s.isCalled(p.Service) || p.Environment != "" && s.Environment != p.Environment {
			continue
		}
		rest, ok := strings.CutPrefix(u.EscapedPath(), strings.TrimSuffix(s.upstream.EscapedPath(), "/"))
		if ok && strings.HasPrefix(rest, "/") && (best < 0 || len(rest) < len(below)) {
			best, below = i, rest
		}
	}
	if best < 0 {
		return nil, unknownNameError{fmt.Sprintf("url %q is on no upstream that is configured: name the service, and the url from the path on, as /v1/Companies(1)?$top=5", p.URL)}
	}
	folded, err := foldedPath(below)
	return []cache.Event{{Kind: cache.DropKey, Service: known[best].ServiceName, Path: folded, Query: u.RawQuery}}, err
}

// purgeTexts says what events drop. Paths may hold names and numbers of people:
// only those that configurations write are shown.
func purgeTexts(events []cache.Event) []string {
	texts := make([]string, len(events))
	for i, e := range events {
		of := strings.Trim(e.Service.Environment+"/"+e.Service.Service, "/")
		switch e.Kind {
		case cache.DropAll:
			texts[i] = "everything"
		case cache.DropService:
			texts[i] = "all of " + of
		case cache.DropTag:
			texts[i] = strings.TrimSuffix("tag "+e.Tag+" of "+of, " of ")
		case cache.DropPattern:
			texts[i] = "pattern " + e.Path + " of " + of
		case cache.DropKey:
			texts[i] = "one url of " + of
		default:
			texts[i] = "one path of " + of
		}
	}
	return texts
}
