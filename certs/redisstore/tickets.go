package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/certs"
	"iqgateway/internal/redisconn"
)

const (
	// ticketsKeep is longer than three keys live.
	ticketsKeep = 48 * time.Hour

	kindTickets = "certs-tickets"
	ticketBytes = 32
)

type ticketRecord struct {
	Key  []byte    `json:"key"`
	Made time.Time `json:"made"`
}

// LoadTickets implements certs.TicketStore. Keys sealed with a key that this
// replica does not have yet are an error: others use them.
func (s *Store) LoadTickets(ctx context.Context) (certs.TicketKeys, error) {
	name := s.base.Field("tickets")
	var fields []any
	err := s.conn.CallIdempotent(ctx, "certs.tickets", func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		fields, err = r.HMGet(ctx, name, "version", "keys").Result()
		return err
	})
	var failed *redisconn.Error
	if errors.As(err, &failed) && failed.Reason == "WRONGTYPE" {
		s.options.Hooks.discarded("tickets", "type")
		return certs.TicketKeys{}, nil
	}
	if err != nil {
		return certs.TicketKeys{}, fmt.Errorf("loading ticket keys: %w", err)
	}
	if len(fields) != 2 {
		return certs.TicketKeys{}, errReply
	}
	text, versioned := fields[0].(string)
	sealed, _ := fields[1].(string)
	version, err := strconv.ParseUint(text, 10, 53)
	if err != nil {
		version = 0
	}
	found := certs.TicketKeys{Version: version}
	if err != nil || sealed == "" {
		if versioned || sealed != "" {
			s.options.Hooks.discarded("tickets", "unreadable")
		}
		return found, nil // none, or none of ours: both are replaced
	}
	plain, err := s.conn.Open(kindTickets, name, version, sealed)
	if err != nil {
		return s.ticketsUnopened(name, found, err)
	}
	found.Keys, err = decodeTickets(plain)
	if err != nil {
		s.options.Hooks.discarded("tickets", "unreadable")
	}
	return found, nil
}

func (s *Store) ticketsUnopened(name string, found certs.TicketKeys, err error) (certs.TicketKeys, error) {
	if err := s.unopened("tickets", name, err); !errors.Is(err, fs.ErrNotExist) {
		return certs.TicketKeys{}, err
	}
	return found, nil
}

func decodeTickets(plain []byte) ([]certs.TicketKey, error) {
	var records []ticketRecord
	if json.Unmarshal(plain, &records) != nil {
		return nil, errors.New("not the JSON of ticket keys")
	}
	keys := make([]certs.TicketKey, len(records))
	for i, r := range records {
		if len(r.Key) != ticketBytes {
			return nil, errors.New("a ticket key of another length")
		}
		keys[i] = certs.TicketKey{Key: [ticketBytes]byte(r.Key), Made: r.Made}
	}
	return keys, nil
}

// ReplaceTickets implements certs.TicketStore.
func (s *Store) ReplaceTickets(ctx context.Context, version uint64, keys []certs.TicketKey) error {
	records := make([]ticketRecord, len(keys))
	for i, k := range keys {
		records[i] = ticketRecord{Key: k.Key[:], Made: k.Made}
	}
	plain, err := json.Marshal(records)
	if err != nil {
		return fmt.Errorf("encoding ticket keys: %w", err)
	}
	name := s.base.Field("tickets")
	sealed, err := s.conn.Seal(kindTickets, name, version+1, plain)
	if err != nil {
		return fmt.Errorf("sealing ticket keys: %w", err)
	}
	var n int64
	// Not repeated: a second run would find the version of the first.
	err = s.conn.Call(ctx, "certs.tickets", func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		n, err = s.scripts.tickets.Run(ctx, r, []string{name}, strconv.FormatUint(version, 10), sealed).Int64()
		return err
	})
	if err != nil {
		return fmt.Errorf("storing ticket keys: %w", err)
	}
	if n != 1 {
		return certs.ErrTicketsChanged
	}
	return nil
}
