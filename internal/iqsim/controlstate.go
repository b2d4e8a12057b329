package iqsim

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type stateAnswer struct {
	Time               time.Time                    `json:"time"`
	Environments       []string                     `json:"environments"`
	DefaultEnvironment string                       `json:"defaultEnvironment"`
	Services           []string                     `json:"services"`
	Switches           Switches                     `json:"switches"`
	Faults             []Fault                      `json:"faults"`
	Counts             map[string]map[string]Counts `json:"counts"`
	Tokens             map[string]TokenCalls        `json:"tokens"`
	DataConnect        map[string]DataConnectStats  `json:"dataConnect"`
	Endpoints          map[string]string            `json:"endpoints"`
}

func (c control) state(w http.ResponseWriter, _ *http.Request) {
	s := c.sim
	help := map[string]string{}
	for _, e := range c.endpoints() {
		help[strings.TrimSuffix(e.pattern, "{$}")] = e.help
	}
	stats := map[string]DataConnectStats{}
	for name := range s.environments {
		stats[name] = s.DataConnectStats(name)
	}
	engineJSON(w, http.StatusOK, stateAnswer{
		Time: s.options.Now(), Environments: slices.Sorted(maps.Keys(s.environments)),
		DefaultEnvironment: s.options.DefaultEnvironment,
		Services:           slices.Sorted(maps.Keys(s.environments[s.options.DefaultEnvironment].services())),
		Switches:           s.Switches(), Faults: s.Faults(), Counts: s.Counts(), Tokens: c.tokenCalls(),
		DataConnect: stats, Endpoints: help,
	})
}

type ledgerAnswer struct {
	Entries []LedgerEntry `json:"entries"`
	// Next is what to ask for with since to go on.
	Next int64 `json:"next"`
	// Lost is how many entries were forgotten for want of room.
	Lost int64 `json:"lost"`
}

func (c control) ledger(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	since, err := queryNumber(r, "since")
	if err != nil {
		answerControl(w, nil, err)
		return
	}
	limit, err := queryNumber(r, "limit")
	entries, lost := c.sim.ledgerPage(LedgerQuery{
		Since: since, Limit: int(limit), Environment: params.Get("environment"), Service: params.Get("service"),
		Method: params.Get("method"), Nonce: params.Get("nonce"), Executed: params.Get("executed") == "true",
	})
	answer := ledgerAnswer{Entries: entries, Next: since, Lost: lost}
	if len(entries) > 0 {
		answer.Next = entries[len(entries)-1].Seq
	} else {
		answer.Entries = []LedgerEntry{}
	}
	answerControl(w, answer, err)
}

func (c control) clearLedger(w http.ResponseWriter, _ *http.Request) {
	c.sim.ClearLedger()
	engineJSON(w, http.StatusOK, done{true})
}

func (c control) tokenCalls() map[string]TokenCalls {
	out := map[string]TokenCalls{}
	for name := range c.sim.environments {
		out[name] = c.sim.TokenCalls(name)
	}
	return out
}

func (c control) tokens(w http.ResponseWriter, _ *http.Request) {
	engineJSON(w, http.StatusOK, c.tokenCalls())
}

func (c control) newToken(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Environment string `json:"environment"`
	}
	if err := readControl(r, &q); err != nil {
		answerControl(w, nil, err)
		return
	}
	text, err := c.sim.Token(q.Environment)
	answerControl(w, map[string]string{"accessToken": text}, err)
}

func (c control) revokeTokens(w http.ResponseWriter, r *http.Request) {
	var q TokenQuery
	if err := readControl(r, &q); err != nil {
		answerControl(w, nil, err)
		return
	}
	n, err := c.sim.RevokeTokens(q)
	answerControl(w, map[string]int{"revoked": n}, err)
}

func (c control) accounts(w http.ResponseWriter, _ *http.Request) {
	all := []AccountState{}
	for _, name := range slices.Sorted(maps.Keys(c.sim.environments)) {
		all = append(all, c.sim.environments[name].accounts.logins.state(name)...)
	}
	engineJSON(w, http.StatusOK, all)
}

func (c control) changeAccount(w http.ResponseWriter, r *http.Request) {
	var change AccountChange
	err := readControl(r, &change)
	if err == nil {
		err = c.sim.ChangeAccount(r.URL.Query().Get("environment"), r.PathValue("username"), change)
	}
	answerControl(w, done{true}, err)
}

func (c control) faults(w http.ResponseWriter, _ *http.Request) {
	engineJSON(w, http.StatusOK, c.sim.Faults())
}

func (c control) addFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if err := readControl(r, &f); err != nil {
		answerControl(w, nil, err)
		return
	}
	id, err := c.sim.AddFault(f)
	answerControl(w, map[string]int{"id": id}, err)
}

func (c control) removeFaults(w http.ResponseWriter, r *http.Request) {
	id := 0
	if text := r.PathValue("id"); text != "" {
		var err error
		if id, err = strconv.Atoi(text); err != nil || id <= 0 {
			messageAnswer(w, http.StatusNotFound, "there is no fault "+text)
			return
		}
	}
	engineJSON(w, http.StatusOK, map[string]int{"removed": c.sim.RemoveFaults(id)})
}
