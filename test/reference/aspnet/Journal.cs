using System.Collections.Concurrent;

/// <summary>What happened in the hub, by scope, and gates that hold methods: how a test waits for events.</summary>
public sealed class Journal
{
    private readonly object _lock = new();
    private readonly Dictionary<string, List<string>> _scopes = [];
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _gates = new();
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Note(string scope, string text)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (!_scopes.TryGetValue(scope, out var notes)) _scopes[scope] = notes = [];
            notes.Add(text);
            changed = _changed;
            _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        changed.SetResult();
    }

    /// <summary>The notes of a scope, as soon as there are as many.</summary>
    public async Task<string[]> Reached(string scope, int count, CancellationToken cancel)
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                var notes = _scopes.TryGetValue(scope, out var found) ? found : [];
                if (notes.Count >= count) return [.. notes];
                changed = _changed.Task;
            }
            await changed.WaitAsync(cancel);
        }
    }

    public TaskCompletionSource Gate(string name) =>
        _gates.GetOrAdd(name, _ => new(TaskCreationOptions.RunContinuationsAsynchronously));
}
