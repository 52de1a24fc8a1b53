"""Losses on data that a training does not see, and its end where they no longer fall."""

import numpy as np


class Validation:
    """Losses on other data, and the parameters that were best there."""

    def __init__(self, model, data, every, patience):
        self.model, self.data, self.every, self.patience = model, data, every, patience
        self.seen, self.best = [], model.params.copy()

    @property
    def exhausted(self):
        """Whether patience is at its end."""
        losses = [loss for _, loss in self.seen]
        return self.patience is not None and bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= self.patience

    def look(self, step):
        """Validate if it is time; whether to end."""
        if step % self.every:
            return False
        loss = float(self.model.loss_and_grad(*self.data)[0])
        if not self.seen or loss < min(other for _, other in self.seen):
            self.best[:] = self.model.params
        self.seen.append((step, loss if np.isfinite(loss) else np.inf))
        return self.exhausted

    def restore(self, seen, best):
        """Go back to what a checkpoint holds."""
        self.seen = [(int(step), float(loss)) for step, loss in seen.reshape(-1, 2)]
        self.best[:] = best

    def finish(self, interrupted):
        """All losses and the best step; the model gets the best parameters."""
        if not self.seen:
            return np.empty((0, 2)), None
        if not interrupted:
            self.model.params[:] = self.best
        return np.array(self.seen), int(min(self.seen, key=lambda entry: entry[1])[0])
