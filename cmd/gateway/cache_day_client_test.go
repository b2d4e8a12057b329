package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// dayClient makes the calls of the applications and counts them. It spreads
// them over the replicas, as a load balancer does.
type dayClient struct {
	*replicas
	keys map[string]string // by caller
	turn atomic.Int64

	mu    sync.Mutex
	asked map[string]*dayCount   // by service
	wrong []string               // answers that no flow expects
	times map[string][]time.Time // when calls ended, by service
}

// dayCount is what the callers of one service saw.
type dayCount struct {
	asked, hits, collapsed int
}

// dayCall is one call.
type dayCall struct {
	caller, method, target, body string
	on                           *replica // nil = the one whose turn it is
	want                         []int    // statuses; nil = 200
}

// dayAnswer is an answer to it.
type dayAnswer struct {
	status int
	cache  string // Cache-Status, without the cache's name
	text   []byte
}

// do makes a call. An answer that is not expected is noted, and is an error.
func (c *dayClient) do(ctx context.Context, call dayCall) (dayAnswer, error) {
	if call.on == nil {
		call.on = c.all[c.turn.Add(1)%int64(len(c.all))]
	}
	a, err := c.send(ctx, call)
	if err == nil && !call.expects(a.status) {
		err = fmt.Errorf("%s %s: %d %.300s", call.method, call.target, a.status, a.text)
	}
	c.note(call, a, err)
	return a, err
}

func (call dayCall) expects(status int) bool {
	return slices.Contains(call.want, status) || call.want == nil && status == http.StatusOK
}

func (c *dayClient) send(ctx context.Context, call dayCall) (dayAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, call.method, call.on.server+call.target, strings.NewReader(call.body))
	if err != nil {
		return dayAnswer{}, err
	}
	req.Header.Set("X-Api-Key", c.keys[call.caller])
	req.Header.Set("Accept", "application/json")
	if call.body == "" {
		req.Body = http.NoBody
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return dayAnswer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return dayAnswer{resp.StatusCode, strings.TrimPrefix(resp.Header.Get("Cache-Status"), "iqgateway; "), text}, err
}

func (c *dayClient) note(call dayCall, a dayAnswer, err error) {
	service, _, _ := strings.Cut(call.target[1:], "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked[service] == nil {
		c.asked[service] = &dayCount{}
	}
	n := c.asked[service]
	n.asked++
	n.hits += oneWhen(a.hit())
	n.collapsed += oneWhen(strings.Contains(a.cache, "; collapsed"))
	c.times[service] = append(c.times[service], time.Now())
	if err != nil {
		c.wrong = append(c.wrong, err.Error())
	}
}

func (a dayAnswer) hit() bool { return a.cache == "hit" || strings.HasPrefix(a.cache, "hit;") }

// read decodes the answer to a call into v.
func (c *dayClient) read(ctx context.Context, v any, call dayCall) error {
	if call.method == "" {
		call.method = http.MethodGet
	}
	a, err := c.do(ctx, call)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(a.text, v); err != nil {
		return fmt.Errorf("%s: %w", call.target, err)
	}
	return nil
}
