package banned

import "fmt" // want depguard

// Key prints parts that may hold its separator.
func Key(parts ...string) string { return fmt.Sprintf("%s", parts) }
