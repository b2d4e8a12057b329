package proxy

// PublicSession opens publicSession to the fuzz target.
var PublicSession = publicSession
