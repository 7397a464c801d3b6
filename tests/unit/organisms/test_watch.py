import time

from workbench.organisms.learners import Clock, Watch


def test_waiting_for_others_does_not_count():
    watch = Watch()
    time.sleep(0.3)
    assert watch.seconds() < 0.2


def test_a_stage_is_timed_as_a_whole_from_the_steps_trained_here():
    clock = Clock(lambda step, steps, loss: None)
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    for step in (6, 7):
        clock.progress(step, 10, 1.0)
    assert 0.45 < clock.seconds(10) < 5.0
