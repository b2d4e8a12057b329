package postman_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"iqgateway/test/rig"
)

func root(parts ...string) string {
	return filepath.Join(append([]string{"..", ".."}, parts...)...)
}

func documents(name string) string { return root("docs", "postman", name) }

const collectionFile = "iqgateway.postman_collection.json"

// item is a request of the collection, or a folder of them.
type item struct {
	Name    string
	Item    []item
	Request struct{ Method, URL string }
	Event   []struct {
		Listen string
		Script struct{ Exec []string }
	}
}

type collection struct {
	Item     []item
	Variable []struct{ Key string }
}

// environment is a set of variables that a user fills in.
type environment struct {
	Values []struct{ Key, Value, Type string }
}

func read[T any](t *testing.T, file string) T {
	t.Helper()
	text, err := os.ReadFile(file)
	rig.Must(t, err)
	var value T
	rig.Must(t, json.Unmarshal(text, &value))
	return value
}

// requests returns all requests below the items.
func requests(items []item) []item {
	var found []item
	for _, i := range items {
		if i.Request.Method != "" {
			found = append(found, i)
		}
		found = append(found, requests(i.Item)...)
	}
	return found
}

// Every request looks at its status, so that a run can fail.
func TestEveryRequestIsJudged(t *testing.T) {
	all := requests(read[collection](t, documents(collectionFile)).Item)
	for _, r := range all {
		judged := false
		for _, e := range r.Event {
			judged = judged || e.Listen == "test" && strings.Contains(strings.Join(e.Script.Exec, "\n"), "to.have.status(")
		}
		if !judged {
			t.Errorf("%s asserts no status", r.Name)
		}
	}
	if len(all) < 90 {
		t.Errorf("only %d requests", len(all))
	}
}

// endless never end their answer, which a run of the collection would wait for.
var endless = []string{"get /api/v1/events"}

// The collection has every operation of the admin API's own document.
func TestCollectionHasTheAdminAPI(t *testing.T) {
	api := read[struct {
		Paths map[string]map[string]any
	}](t, root("docs", "openapi.json"))
	has := map[string]bool{}
	for _, r := range requests(read[collection](t, documents(collectionFile)).Item) {
		path, found := strings.CutPrefix(r.Request.URL, "{{adminUrl}}")
		path, _, _ = strings.Cut(path, "?")
		if found {
			has[strings.ToLower(r.Request.Method)+" "+regexp.MustCompile(`\{\{\w+\}\}`).ReplaceAllString(path, "{}")] = true
		}
	}
	for path, operations := range api.Paths {
		for method := range operations {
			if method == "parameters" || slices.Contains(endless, method+" "+path) {
				continue
			}
			if name := method + " " + regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "{}"); !has[name] {
				t.Errorf("docs/postman/%s has no %s %s: add it to the folder Admin API", collectionFile, strings.ToUpper(method), path)
			}
		}
	}
}

// Both environments have all variables, and no secret.
func TestEnvironmentsAreTemplates(t *testing.T) {
	text, err := os.ReadFile(documents(collectionFile))
	rig.Must(t, err)
	made := []string{"$guid"}
	for _, v := range read[collection](t, documents(collectionFile)).Variable {
		made = append(made, v.Key)
	}
	for _, name := range []string{"gateway", "simulator"} {
		known := slices.Clone(made)
		for _, v := range read[environment](t, documents(name+".postman_environment.json")).Values {
			known = append(known, v.Key)
			if secret := v.Key == "apiKey" || v.Key == "adminToken"; secret != (v.Type == "secret") || secret && v.Value != "" {
				t.Errorf("%s: %s has the type %s and the value %q", name, v.Key, v.Type, v.Value)
			}
		}
		for _, match := range regexp.MustCompile(`\{\{(\$?\w+)\}\}`).FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(known, match[1]) {
				t.Errorf("%s has no %s", name, match[1])
			}
		}
	}
}
