package config

import "time"

// checker refuses what can be read but not meant.
type checker struct {
	*Config
	report  *report
	builtIn *builtInLayer
	now     time.Time
}

func (c *checker) references() {}
func (c *checker) meaning()    {}
