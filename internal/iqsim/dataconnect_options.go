package iqsim

// DataConnectOptions switches the behaviour of the DataConnect service.
type DataConnectOptions struct{}

// DataConnectStats is what the DataConnect service counted.
type DataConnectStats struct{}
