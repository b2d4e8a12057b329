package compose_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"iqgateway/test/rig"
)

// makeLinks does what the service links does.
func makeLinks(t *testing.T, dir string) {
	t.Helper()
	s := open(t).Services["links"]
	if s == nil {
		t.Fatal("there is no service links")
	}
	places := []string{"/links", dir}
	for _, v := range s.Volumes {
		if source, target, _ := strings.Cut(strings.TrimSuffix(v, ":ro"), ":"); strings.HasPrefix(source, ".") {
			places = append(places, target, filepath.Join(folder, source))
		}
	}
	for range 2 { // the second time it makes all anew
		var words []string
		for _, word := range s.Entrypoint {
			words = append(words, strings.NewReplacer(places...).Replace(word))
		}
		if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
}

// Every link of an alert or a dashboard leads somewhere in the demonstration.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	makeLinks(t, dir)
	services := open(t).Services
	for _, published := range []struct{ service, volume, port string }{
		{"prometheus", "links:/links:ro", "127.0.0.1:9090:9090"},
		{"grafana", "links:/links:ro", "127.0.0.1:3000:3000"},
	} {
		s := services[published.service]
		if !slices.Contains(s.Ports, published.port) || !slices.Contains(s.Volumes, published.volume) || s.DependsOn["links"].Condition != "service_completed_successfully" {
			t.Errorf("%s: %+v", published.service, s)
		}
	}
	if !slices.Contains(services["prometheus"].Command, "--web.user-assets=/links") {
		t.Error("nothing serves the runbook")
	}
	const runbook = "http://127.0.0.1:9090/user/runbook.html"
	page := read(t, dir+"/runbook.html")
	if !strings.HasPrefix(page, "<!doctype html>") || !strings.Contains(page, "gateway status --ping") {
		t.Errorf("no page: %.200s", page)
	}
	boards, err := filepath.Glob(dir + "/dashboards/*.json")
	rig.Must(t, err)
	known := map[string]bool{}
	var links []string
	for _, name := range boards {
		text := read(t, name)
		var board struct {
			UID        string
			Templating struct {
				List []struct {
					Name  string
					Query any
				}
			}
		}
		rig.Must(t, json.Unmarshal([]byte(text), &board))
		known["http://127.0.0.1:3000/d/"+board.UID] = true
		for _, v := range board.Templating.List {
			if v.Name == "runbook" {
				text = strings.ReplaceAll(text, "${runbook}", fmt.Sprint(v.Query))
			}
		}
		if strings.Contains(text, "example.com") {
			t.Errorf("%s has a place that nobody has", name)
		}
		links = append(links, found(text, `"url": "(http[^"]*runbook[^"]*)"`)...)
	}
	rules := read(t, dir+"/rules.yaml")
	links = append(links, found(rules, `(?m)^ +runbook_url: (.*)$`)...)
	for _, link := range links {
		to, section, deep := strings.Cut(link, "#")
		if to != runbook || deep && !strings.Contains(page, `id="`+section+`"`) {
			t.Errorf("%s leads nowhere", link)
		}
	}
	to := found(rules, `(?m)^ +dashboard_url: ([^?\n]*)`)
	for _, link := range to {
		if !known[link] {
			t.Errorf("%s leads nowhere", link)
		}
	}
	if alerts := len(found(rules, `(?m)^ +- (alert): `)); len(boards) == 0 || len(to) != alerts || len(links) < alerts+len(boards) {
		t.Errorf("%d links of %d alerts and %d dashboards", len(links), alerts, len(boards))
	}
}

// found returns what the group of a pattern matches.
func found(text, pattern string) []string {
	var all []string
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, match[1])
	}
	return all
}
