"""What is served is watched: windows of the serving log are judged, decisions kept, pipelines started, people told."""
