// Package slow keeps a gateway busy with clients that hardly move, and looks at
// what they cost it: memory, and the patience of callers who do move. The
// clients run in a process of their own, [Main], so that what they need is not
// mistaken for the gateway's.
package slow
