// Package postman runs the collection of docs/postman with newman, Postman's own
// runner, against a gateway and the simulated iQmetrix. package.json pins newman;
// scripts/test-deps.sh installs it into bin/newman.
package postman
