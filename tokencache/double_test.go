package tokencache_test

import (
	"context"
	"errors"

	"iqgateway/tokencache"
	"iqgateway/tokencache/storetest"
)

// lossyStore loses the answer to the first Grant, and the connection with it.
type lossyStore struct {
	*storetest.Replica
	grants int // that had an effect
}

func (s *lossyStore) Claim(ctx context.Context, key tokencache.StoreKey) (tokencache.Claim, tokencache.Shared, error) {
	c, shared, err := s.Replica.Claim(ctx, key)
	if c == nil {
		return nil, shared, err
	}
	return &lossyClaim{Claim: c, store: s}, shared, err
}

type lossyClaim struct {
	tokencache.Claim
	store *lossyStore
}

func (c *lossyClaim) Grant(ctx context.Context, token tokencache.SharedToken, h tokencache.History) (uint64, error) {
	generation, err := c.Claim.Grant(ctx, token, h)
	if err != nil {
		return 0, err
	}
	if c.store.grants++; c.store.grants == 1 {
		c.store.SetAway(true)
		return 0, errors.New("no answer in time")
	}
	return generation, nil
}
