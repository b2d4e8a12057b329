package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/limiter"
)

// quotaRig is an admin server with the quota endpoints over a limiter that does
// what the test says.
type quotaRig struct {
	statuses []limiter.Status
	err      error
	deeds
}

func (q *quotaRig) view(_ context.Context, name string) (limiter.Status, error) {
	unknown := &limiter.UnknownError{Name: name}
	for _, s := range q.statuses {
		if s.Name.String() == name {
			return s, q.err
		}
		unknown.Known = append(unknown.Known, s.Name.String())
	}
	return limiter.Status{}, unknown
}

// start returns the environment of a command that asks the server.
func (q *quotaRig) start(t *testing.T) []string {
	t.Helper()
	admin := quotaAdmin{
		replica: "q7x", now: quotaNow, view: q.view,
		list: func(context.Context) []limiter.Status { return q.statuses },
		block: func(ctx context.Context, bucket string, lasting time.Duration, reason string) error {
			q.note("block %s for %s: %s", bucket, lasting, reason)
			_, err := q.view(ctx, bucket)
			return err
		},
		unblock: func(ctx context.Context, bucket string) error {
			q.note("unblock %s", bucket)
			_, err := q.view(ctx, bucket)
			return err
		},
		audit: func(_ context.Context, message string, attrs ...slog.Attr) {
			q.note("audit: %s %v", message, attrs[0])
		},
	}
	return adminServer(t, admin.endpoints()...)
}

func TestQuotaCommands(t *testing.T) {
	const crm = "production/crm/authenticated"
	tests := map[string]struct {
		args []string
		err  error
		code int
		want []string // in what is printed
		done []string // on the server
	}{
		"list":            {args: []string{"list"}, want: []string{crm + "   known", "1000/60s"}},
		"list as JSON":    {args: []string{"list", "-o", "json"}, want: []string{`"replica": "q7x"`, `"upstream_used": 850`}},
		"list as YAML":    {args: []string{"list", "-o", "yaml"}, want: []string{"upstream_used: 850"}},
		"show":            {args: []string{"show", crm}, want: []string{"CALLER", "storefront", "Scope: in 1 of 2"}},
		"show as JSON":    {args: []string{"show", crm, "-o", "json"}, want: []string{`"upstream_429": 1`}},
		"show unknown":    {args: []string{"show", "crm"}, code: exitFailure, want: []string{`no bucket "crm"`, "did you mean " + crm}},
		"show nothing":    {args: []string{"show"}, code: exitUsage, want: []string{"one BUCKET"}},
		"top once":        {args: []string{"top", "--once"}, want: []string{"1 buckets in use", "[####"}},
		"top for scripts": {args: []string{"top", "-o", "json"}, want: []string{`"quotas": [`, `"in_use": true`}},
		"top too fast":    {args: []string{"top", "--interval", "1ms"}, code: exitUsage, want: []string{"200ms or more"}},
		"block": {
			args: []string{"block", crm, "--for", "10m", "--reason", "INC-1"}, want: []string{"is blocked for every replica until 2026-01-05T13:09:37Z", "INC-1"},
			done: []string{"block " + crm + " for 10m0s: INC-1", "audit: an operator has blocked a quota bucket=" + crm},
		},
		"block without a time":   {args: []string{"block", crm, "--reason", "x"}, code: exitUsage, want: []string{"--for is missing"}},
		"block without a reason": {args: []string{"block", crm, "--for", "1m"}, code: exitUsage, want: []string{"--reason is missing"}},
		"block for ever":         {args: []string{"block", crm, "--for", "9999h", "--reason", "x"}, code: exitUsage, want: []string{"--for 9999h0m0s", "1s to 168h"}},
		"block for nothing much": {args: []string{"block", crm, "--for", "1ms", "--reason", "x"}, code: exitUsage, want: []string{"--for 1ms", "1s to 168h"}},
		"block backwards":        {args: []string{"block", crm, "--for=-1s", "--reason", "x"}, code: exitUsage, want: []string{"--for -1s", "1s to 168h"}},
		"block with an essay":    {args: []string{"block", crm, "--for", "1m", "--reason", strings.Repeat("x", 201)}, code: exitFailure, want: []string{"at most 200 bytes"}},
		"block with a blank":     {args: []string{"block", crm, "--for", "1m", "--reason", "  "}, code: exitUsage, want: []string{"--reason is missing"}},
		"block an unknown": {
			args: []string{"block", "nope", "--for", "1m", "--reason", "x"}, code: exitFailure,
			want: []string{"there is " + crm}, done: []string{"block nope for 1m0s: x", "audit: an operator could not block a quota bucket=nope"},
		},
		"Redis is away": {
			args: []string{"block", crm, "--for", "1m", "--reason", "x"}, err: storeError("redis is away"), code: exitFailure,
			want: []string{"did not follow: redis is away"}, done: []string{"block " + crm + " for 1m0s: x", "audit: an operator could not block a quota bucket=" + crm},
		},
		"unblock": {
			args: []string{"unblock", crm}, want: []string{crm + " is open to every replica again"},
			done: []string{"unblock " + crm, "audit: an operator has unblocked a quota bucket=" + crm},
		},
		"unblock as JSON": {args: []string{"unblock", crm, "-o", "json"}, want: []string{`"bucket": "` + crm}, done: []string{"unblock " + crm, "audit: an operator has unblocked a quota bucket=" + crm}},
		"unknown command": {args: []string{"shwo"}, code: exitUsage, want: []string{"show"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rig := &quotaRig{statuses: []limiter.Status{crmStatus()}, err: tt.err}
			wantCommand(t, rig.start(t), tt.code, tt.want, append([]string{"quota"}, tt.args...)...)
			if diff := cmp.Diff(tt.done, rig.done); diff != "" {
				t.Errorf("done (-want +got):\n%s", diff)
			}
		})
	}
}

// Programs ask the admin API itself.
func TestQuotaAPIRefuses(t *testing.T) {
	rig := &quotaRig{statuses: []limiter.Status{crmStatus()}}
	environ := rig.start(t)
	for _, tt := range []struct {
		method, path, body, want string
		status                   int
	}{
		{"GET", pathQuotas + "?bukcet=x", "", "one parameter", 400},
		{"GET", pathQuotas + "?bucket=a&bucket=b", "", "once", 400},
		{"GET", pathQuotas + "?bucket=a%2Fb%2Fc", "", `no bucket \"a/b/c\"`, 404},
		{"POST", pathQuotaBlock, "", "empty", 400},
		{"POST", pathQuotaBlock, `{"for":"1m","reason":"x"}`, "name a bucket", 400},
		{"POST", pathQuotaBlock, `{"bucket":"x","for":"soon","reason":"x"}`, `for is \"soon\"`, 400},
		{"POST", pathQuotaBlock, `{"bucket":"x","for":"9999h","reason":"x"}`, "1s to 168h", 400},
		{"POST", pathQuotaBlock, `{"bucket":"x","for":"1m","reason":"  "}`, "give a reason", 400},
		{"POST", pathQuotaBlock, `{"bucket":"x","for":"1m","reason":"x","by":"me"}`, "not what is wanted", 400},
		{"POST", pathQuotaBlock, `{"bucket":5,"for":"1m","reason":"x"}`, "bucket cannot be a JSON number", 400},
		{"POST", pathQuotaUnblock, `{}`, "name a bucket", 400},
		{"POST", pathQuotaUnblock, `[`, "not what is wanted", 400},
	} {
		wantRefused(t, environ, tt.method, tt.path, tt.body, tt.status, tt.want)
	}
	if len(rig.done) != 0 {
		t.Errorf("done all the same: %v", rig.done)
	}
}

func TestUnknownBucketNamesSome(t *testing.T) {
	var known []string
	for i := range 30 {
		known = append(known, fmt.Sprintf("production/s%02d/authenticated", i))
	}
	for name, want := range map[string]string{"x": "and 10 more", "s07": "did you mean production/s07/authenticated?"} {
		if got := unknownBucket(name, known); !strings.Contains(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := unknownBucket("x", nil); !strings.Contains(got, "no caller may use") {
		t.Error(got)
	}
}
