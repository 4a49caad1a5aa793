"""One step of EM: E-step, M-step, and what they climb."""
