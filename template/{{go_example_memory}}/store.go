package main

import (
	"context"
	"sync"

	"github.com/google/uuid"
)

// store keeps items in memory, oldest first. They are lost on exit and not shared between
// replicas.
type store struct {
	lock  sync.RWMutex
	items []Item
	index map[uuid.UUID]int
}

func openStore(context.Context) (*store, error) {
	return &store{index: map[uuid.UUID]int{}}, nil
}

func (s *store) close() {}

// checks returns the readiness checks; memory needs none.
func (s *store) checks() map[string]check { return nil }

func (s *store) add(_ context.Context, item Item) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.index[item.ID] = len(s.items)
	s.items = append(s.items, item)
	return nil
}

func (s *store) get(_ context.Context, id uuid.UUID) (Item, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	position, found := s.index[id]
	if !found {
		return Item{}, errUnknown
	}
	return s.items[position], nil
}

// page returns the items after the given ID. It returns errUnknown if that ID is unknown.
func (s *store) page(_ context.Context, limit int, after uuid.NullUUID) ([]Item, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	first := 0
	if after.Valid {
		position, found := s.index[after.UUID]
		if !found {
			return nil, errUnknown
		}
		first = position + 1
	}
	last := min(first+limit, len(s.items))
	return s.items[first:last:last], nil
}

func (s *store) count(context.Context) (int, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return len(s.items), nil
}
