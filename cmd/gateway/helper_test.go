package main

import (
	"encoding/base64"

	"iqgateway/auth"
)

func basic(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

func digestOf(key string) string { return auth.DigestOf(key).String() }
