package iqsim

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// The ids of the provider's own documentation, so that its examples work when
// pasted: company 14146 with its location 14202, supplier 14107.
const (
	seedCompanyID  = "14146"
	seedSupplierID = 14107
	seedVendorName = "Nozama"
	seedListID     = "43d92a51-650e-4b85-b5d0-8d51bf4c59f4"
	seedCustomerID = "659c2a38-d083-4421-9330-46d779702f85"
	seedAddressID  = "a08b0640-606a-41f0-901a-facaf50e75dd"
	seedItemID     = "a183f1a9-c58f-426a-930a-9a6357db52ed"

	seedCustomerCount = 240
)

// seedID is the n-th GUID of a kind; the same in every run.
func seedID(kind string, n int) string {
	sum := sha256.Sum256([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	sum = sha256.Sum256(append(sum[:], kind...))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// seedTime is when the n-th document of the seed was last changed: hours
// apart, long before any run, so that LastModifiedDateUtc filters have
// something to select.
func seedTime(n int) time.Time {
	return time.Date(2018, time.January, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * 7 * time.Hour)
}

// seed stores a document of the seed.
func (s *records) seed(in, id string, fields document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open(in).put(&record{id: id, fields: fields})
}

// pick takes the n-th of a list, going round.
func pick(list []string, n int) string { return list[n%len(list)] }
