"""Is the model still right?"""
