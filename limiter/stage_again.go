package limiter

import (
	"context"
	"io"
	"net/http"
)

// maxDrain is how long the body of a 429 may be for its request to be tried
// again: it must not hold a connection while the request waits.
const maxDrain = 16 << 10

// again waits at the head of the queue after an upstream's 429 and sends the
// request once more. Where that takes longer than it may, the caller gets the
// 429 that is here already.
func (c *call) again(ctx context.Context, refused *http.Response) (*http.Response, error) {
	if !offWire(refused) {
		return refused, nil
	}
	ticket, refusal := c.acquire(ctx, true)
	switch {
	case ticket == nil && refusal == nil:
		return nil, c.refuse(ctx, nil)
	case ticket == nil:
		return refused, nil
	}
	req, err := rewound(c.request)
	if err != nil {
		c.giveBack(ticket)
		return refused, nil //nolint:nilerr // the answer that is here is the better one
	}
	c.bucket.limiter.options.Hooks.repeated(c.name)
	resp, _, err := c.attempt(req, ticket, false)
	return resp, err
}

// offWire takes the body of a short answer off its connection, which ends the
// slot that it has, and reports whether it could.
func offWire(resp *http.Response) bool {
	head, whole := peek(resp, maxDrain)
	if whole {
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(head)
	}
	return whole
}

// rewound returns the request for another attempt.
func rewound(req *http.Request) (*http.Request, error) {
	if req.GetBody == nil {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	out := req.WithContext(req.Context())
	out.Body = body
	return out, nil
}
