"""BGP by gobgpd: what to announce (pure), how it differs from what runs (pure), and carrying it out."""
