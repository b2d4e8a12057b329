package breaker

// Key names a breaker. All of it comes from the configuration and is fit to be
// shown and to label metrics.
type Key struct {
	Environment, Service string
	// Bucket is the quota bucket of a throttle breaker; "" = the upstream's
	// breaker for failures.
	Bucket string
}

// String returns environment/service, and /throttle/bucket where there is one.
func (k Key) String() string {
	text := k.Environment + "/" + k.Service
	if k.Bucket != "" {
		text += "/throttle/" + k.Bucket
	}
	return text
}
