package auth

import "strings"

// gatewayTokenHeader begins every gateway token: the one header that they have,
// {"alg":"HS256","typ":"iqgw+jwt"}. It tells them apart from other JWTs without
// reading either, and leaves no algorithm to choose.
const gatewayTokenHeader = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImlxZ3crand0In0."

// isGatewayToken reports whether a text is, or pretends to be, of this gateway.
func isGatewayToken(text string) bool { return strings.HasPrefix(text, gatewayTokenHeader) }
