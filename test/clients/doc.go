// Package clients tests the gateway with clients that were written for the
// provider itself and know nothing of a gateway: OAuth2 libraries that make
// their own token call, programs that only have a DNS entry and an authority
// changed for them, and programs that can only be given a proxy.
package clients
