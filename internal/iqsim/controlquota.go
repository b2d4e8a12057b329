package iqsim

import (
	"bytes"
	"encoding/json"
	"net/http"
)

func (c control) profile(w http.ResponseWriter, r *http.Request) {
	p, err := c.sim.Profile(r.URL.Query().Get("environment"), r.PathValue("service"))
	answerControl(w, p, err)
}

func (c control) changeProfile(w http.ResponseWriter, r *http.Request) {
	var document json.RawMessage // read before the profiles are locked
	err := readControl(r, &document)
	if err == nil {
		err = c.sim.UpdateProfile(r.URL.Query().Get("environment"), r.PathValue("service"),
			func(p *Profile) error { return decodeControl(r, bytes.NewReader(document), p) })
	}
	answerControl(w, done{true}, err)
}

func (c control) consume(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Environment string `json:"environment"`
		Service     string `json:"service"`
		ClientID    string `json:"clientId"`
		Calls       int    `json:"calls"`
	}
	if err := readControl(r, &q); err != nil {
		answerControl(w, nil, err)
		return
	}
	fitted, err := c.sim.Consume(q.Environment, q.Service, q.ClientID, max(0, q.Calls))
	answerControl(w, map[string]bool{"fitted": fitted}, err)
}

func (c control) quotas(w http.ResponseWriter, _ *http.Request) {
	engineJSON(w, http.StatusOK, c.sim.Quotas())
}

func (c control) resetQuotas(w http.ResponseWriter, _ *http.Request) {
	c.sim.ResetQuotas()
	engineJSON(w, http.StatusOK, done{true})
}

func (c control) dataConnect(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("environment")
	o, err := c.sim.DataConnectOptions(name)
	answerControl(w, struct {
		Options DataConnectOptions `json:"options"`
		Stats   DataConnectStats   `json:"stats"`
	}{o, c.sim.DataConnectStats(name)}, err)
}

func (c control) changeDataConnect(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("environment")
	o, err := c.sim.DataConnectOptions(name)
	if err == nil {
		err = readControl(r, &o)
	}
	if err == nil {
		err = c.sim.ConfigureDataConnect(name, o)
	}
	answerControl(w, done{true}, err)
}

func (c control) switches(w http.ResponseWriter, _ *http.Request) {
	engineJSON(w, http.StatusOK, c.sim.Switches())
}

func (c control) changeSwitches(w http.ResponseWriter, r *http.Request) {
	next := c.sim.Switches()
	if err := readControl(r, &next); err != nil {
		answerControl(w, nil, err)
		return
	}
	err := c.sim.Switch(func(s *Switches) { *s = next })
	answerControl(w, c.sim.Switches(), err)
}
