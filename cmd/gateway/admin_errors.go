package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"unicode"
)

// unreachable says why there is no answer and what to try.
func (c *adminClient) unreachable(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL: the address is named below
	}
	_, badRecord := errors.AsType[tls.RecordHeaderError](err)
	_, noName := errors.AsType[*net.DNSError](err)
	_, untrusted := errors.AsType[x509.UnknownAuthorityError](err)
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("asking %s: %w", c.base.Host, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no gateway answers at %s (connection refused): start it, or name its admin server with --admin-address or %s", c.base.Host, envAdminAddress)
	case noName:
		return fmt.Errorf("there is no host %s: name the gateway's admin server with --admin-address or %s (%w)", c.base.Hostname(), envAdminAddress, err)
	case badRecord, strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("the admin server at %s does not encrypt: write http://%s, or configure admin.tls", c.base.Host, c.base.Host)
	case untrusted:
		return fmt.Errorf("the certificate of %s is of an unknown authority: name its CA with --admin-ca FILE (%w)", c.base.Host, err)
	case isNet && netErr.Timeout():
		return fmt.Errorf("the admin server at %s did not answer within %s; a change may have been made all the same", c.base.Host, adminTimeout)
	}
	return fmt.Errorf("asking the admin server at %s: %w", c.base.Host, err)
}

// deniedError is an answer that asking again does not change.
type deniedError struct{ error }

// refused turns an answer other than 200 into what the operator can do.
func (c *adminClient) refused(response *http.Response, body []byte, path string) error {
	err := c.refusal(response, body, path)
	switch response.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return deniedError{err}
	}
	return err
}

func (c *adminClient) refusal(response *http.Response, body []byte, path string) error {
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	ours := strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(body, &problem) == nil
	switch {
	case response.StatusCode == http.StatusUnauthorized && c.token.IsZero():
		return fmt.Errorf("the gateway at %s wants its admin token: set %s to the value of its admin.token", c.base.Host, envAdminToken)
	case response.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("the gateway at %s does not accept the token in %s: it must be its admin.token, or to read only, admin.read_token", c.base.Host, envAdminToken)
	case ours && problem.Detail != "":
		return errors.New(printable(problem.Detail))
	case response.StatusCode == http.StatusBadRequest && strings.Contains(string(body), "HTTP request to an HTTPS server"):
		return fmt.Errorf("the admin server at %s encrypts: write --admin-address https://%s, with --admin-ca FILE where its CA is your own", c.base.Host, c.base.Host)
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s has no %s: it is not the admin server of an iqgateway, or of an older version", c.base.Host, path)
	}
	return fmt.Errorf("%s answers %s to %s", c.base.Host, printable(response.Status), path)
}

// printable keeps a terminal from obeying what a server sent.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, text)
}
