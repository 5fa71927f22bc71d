"""The real parts of a deployment, each as an object that starts, is asked, and ends."""
