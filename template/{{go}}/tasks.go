package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// task runs beside the server until ctx is done. An error, or a panic, ends the service.
type task func(ctx context.Context) error

// taskGroup is all tasks of the service.
type taskGroup struct {
	stop   context.CancelFunc
	failed chan error
	ended  sync.WaitGroup
}

func startTasks(tasks map[string]task) *taskGroup {
	ctx, stop := context.WithCancel(context.Background())
	group := &taskGroup{stop: stop, failed: make(chan error, len(tasks))}
	for name, run := range tasks {
		group.ended.Go(func() {
			if err := runTask(ctx, run); err != nil {
				group.failed <- fmt.Errorf("the task %s failed: %w", name, err)
			}
		})
	}
	return group
}

// runTask returns the error of a task. That its context was canceled is none.
func runTask(ctx context.Context, run task) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("panic: %v", value)
		}
	}()
	err = run(ctx)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// wait waits for the tasks until ctx is done, and returns the first error that nobody has received.
func (g *taskGroup) wait(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		g.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		slog.Warn("a task did not end in time")
	}
	select {
	case err := <-g.failed:
		return err
	default:
		return nil
	}
}
