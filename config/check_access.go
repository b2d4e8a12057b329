package config

import (
	"fmt"
	"slices"
)

// repeatedCredentials refuses two entries for one credential.
func (c *checker) repeatedCredentials(path string, caller Caller) {
	for i, a := range caller.Access {
		for j, b := range caller.Access[:i] {
			if a.Credential == b.Credential && c.accessEnvironment(a) == c.accessEnvironment(b) {
				c.errorf(index(path+".access", i), "credential %s also stands in entry %d: write its services in one entry", a.Credential, j)
				break
			}
		}
	}
}

// ambiguousAccess refuses several credentials for one service of one
// environment, unless exactly one of them is marked.
func (c *checker) ambiguousAccess(path string, caller Caller) {
	reported := map[string]bool{} // the same entries meet at many services
	for _, environment := range c.EnvironmentNames() {
		for _, s := range c.environments[environment].Services() {
			entries := c.entriesFor(caller, s)
			defaults := slices.DeleteFunc(slices.Clone(entries), func(i int) bool { return !caller.Access[i].Default })
			if len(entries) < 2 || len(defaults) == 1 || reported[fmt.Sprint(entries)] {
				continue
			}
			reported[fmt.Sprint(entries)] = true
			if len(defaults) > 1 {
				c.errorf(index(path+".access", defaults[1])+".default", "service %s in %s already has a default, credential %s in entry %d: mark only one",
					s.Name, environment, caller.Access[defaults[0]].Credential, defaults[0])
				continue
			}
			var credentials []string
			for _, i := range entries {
				credentials = append(credentials, caller.Access[i].Credential)
			}
			c.errorf(index(path+".access", entries[len(entries)-1]), "service %s in %s could use credential %s: mark one entry default: true",
				s.Name, environment, choices(credentials))
		}
	}
}

// entriesFor returns the entries of an access list that grant anything on a
// service, one for each credential.
func (c *checker) entriesFor(caller Caller, s *EffectiveService) []int {
	var entries []int
	for i, a := range caller.Access {
		again := slices.ContainsFunc(entries, func(j int) bool { return caller.Access[j].Credential == a.Credential })
		if !again && c.accessEnvironment(a) == s.Environment && a.covers(s) {
			entries = append(entries, i)
		}
	}
	return entries
}
