package iqsim

import (
	"io"
	"net/http"
	"strconv"
)

// admit checks the token and counts the call; false means that it was refused
// and answered.
func (v *visit) admit() bool {
	if v.to.service == "accounts" {
		return v.count(true, remoteIP(v.request))
	}
	if v.who.anonymous && !v.needsToken() {
		return v.count(true, remoteIP(v.request))
	}
	if !v.who.valid {
		if v.sim.Switches().CountRejected && !v.count(true, remoteIP(v.request)) {
			return false
		}
		v.refuse(http.StatusUnauthorized, "invalid token", "Token is invalid")
		return false
	}
	return v.count(false, v.holder())
}

// needsToken tells whether the request is refused without one.
func (v *visit) needsToken() bool {
	if isPing(v.answer.folded) {
		return false
	}
	if v.to.service == "dataconnect" {
		return !dataConnectAnonymous(v.to.path)
	}
	return v.profile.needsToken(v.request.Method, v.answer.folded)
}

// holder returns what the call is counted by.
func (v *visit) holder() string {
	switch v.sim.Switches().QuotaScope {
	case scopeToken:
		return "token " + strconv.Itoa(v.who.token.serial) // the text would show in the counters
	case scopeIP:
		return remoteIP(v.request)
	}
	return v.who.token.clientID
}

// count spends one call of the quota; false means that it was refused with 429
// and answered.
func (v *visit) count(anonymous bool, holder string) bool {
	limit := v.profile.Limit
	if anonymous {
		limit = v.profile.AnonymousLimit
	}
	key := quotaKey{v.to.environment, v.to.quotaService(), anonymous, holder}
	c := v.sim.quotas.count(key, limit, 1, v.answer.arrival, v.sim.windowRule())
	v.answer.quota = &c
	if !c.overspent {
		return true
	}
	v.refuse(http.StatusTooManyRequests, "rate limit exceeded", "Rate limit exceeded")
	return false
}

// refuse answers without the service: as text, or in DataConnect's own shape.
func (v *visit) refuse(status int, text, message string) {
	if v.to.service == "dataconnect" {
		engineJSON(v.answer, status, struct {
			Error   bool
			Message string
		}{true, message})
		return
	}
	v.answer.Header().Set("Content-Type", "text/plain")
	v.answer.WriteHeader(status)
	_, _ = io.WriteString(v.answer, text)
}
