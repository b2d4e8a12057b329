// Package proxy is the way of a request through the gateway, apart from who
// may ask (auth) and with which token (tokencache): the server, the stage that
// leaves each request one meaning, the router, and the reverse proxy with its
// transports and error answers.
//
// Stages towards the caller are http.Handlers and run once; stages towards the
// upstream are http.RoundTrippers and run once per attempt. What stages share
// travels as an *exchange.Exchange in the request's context.
package proxy
