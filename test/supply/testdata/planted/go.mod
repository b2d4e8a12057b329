// Module planted requires what is known to be vulnerable: govulncheck must say so.
module planted

go 1.27.4

require github.com/redis/go-redis/v9 v9.7.0
