using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.AspNetCore.SignalR;

/// <summary>The hub of the contract suite. Its twin in TypeScript has the same methods, by the same names.</summary>
public class ReferenceHub(Journal journal) : Hub
{
    // Invoking

    public object? Echo(object? value) => value;

    public int Add(int a, int b) => a + b;

    public void Nothing() { }

    public Task NothingLater() => Task.Delay(1);

    [HubMethodName("NewName")]
    public string OldName() => "renamed";

    public byte[] Reversed(byte[] bytes) => [.. bytes.Reverse()];

    public string Repeated(string text, int times) => string.Concat(Enumerable.Repeat(text, times));

    public int LengthOf(string text) => text.Length;

    public Person Promoted(Person person) => person with { Rank = person.Rank + 1 };

    public int CountUp()
    {
        var count = Context.Items.TryGetValue("count", out var found) ? (int)found! + 1 : 1;
        Context.Items["count"] = count;
        return count;
    }

    // Failing

    public string Fail() => throw new InvalidOperationException("secret");

    public async Task FailLater()
    {
        await Task.Delay(1);
        throw new InvalidOperationException("secret");
    }

    public string Refuse(string text) => throw new HubException(text);

    // What a test waits for

    public void Note(string scope, string text) => journal.Note(scope, text);

    public Task<string[]> Reached(string scope, int count) => journal.Reached(scope, count, Context.ConnectionAborted);

    public async Task<string> Hold(string gate)
    {
        journal.Note(gate, "held");
        await journal.Gate(gate).Task.WaitAsync(Context.ConnectionAborted);
        journal.Note(gate, "let go");
        return gate;
    }

    public void Release(string gate) => journal.Gate(gate).TrySetResult();

    // Streams to the client

    public async IAsyncEnumerable<int> Counter(int to)
    {
        for (var at = 1; at <= to; at++)
        {
            await Task.Yield();
            yield return at;
        }
    }

    public async IAsyncEnumerable<object?> Nulls()
    {
        yield return null;
        await Task.Yield();
        yield return new { name = (string?)null };
    }

    public async IAsyncEnumerable<int> Endless(string scope, [EnumeratorCancellation] CancellationToken cancel)
    {
        try
        {
            for (var at = 0; ; at++)
            {
                yield return at;
                await Task.Delay(1, cancel);
            }
        }
        finally
        {
            journal.Note(scope, "stream over");
        }
    }

    /// <summary>One item, and then nothing until it is cancelled.</summary>
    public async IAsyncEnumerable<string> Quiet(string scope, [EnumeratorCancellation] CancellationToken cancel)
    {
        try
        {
            yield return "only";
            await Task.Delay(Timeout.Infinite, cancel);
        }
        finally
        {
            journal.Note(scope, "stream over");
        }
    }

    public async IAsyncEnumerable<int> RunsDry(int after)
    {
        for (var at = 1; at <= after; at++) yield return at;
        await Task.Yield();
        throw new HubException("ran dry");
    }

    public async IAsyncEnumerable<int> BreaksDown(int after)
    {
        for (var at = 1; at <= after; at++) yield return at;
        await Task.Yield();
        throw new InvalidOperationException("secret");
    }

    public IAsyncEnumerable<int> NeverStarts() => throw new HubException("no stream today");

    // Streams of the client

    public async Task<int> Sum(int start, IAsyncEnumerable<int> numbers)
    {
        await foreach (var number in numbers) start += number;
        return start;
    }

    public async Task<object?[]> Collect(IAsyncEnumerable<object?> items)
    {
        var all = new List<object?>();
        await foreach (var item in items) all.Add(item);
        return [.. all];
    }

    public async Task<object?> First(IAsyncEnumerable<object?> items)
    {
        await foreach (var item in items) return item;
        return null;
    }

    /// <summary>Waits for its gate before it reads; notes each item, and how the upload ended.</summary>
    public async Task Take(string scope, string gate, IAsyncEnumerable<string> items)
    {
        journal.Note(scope, "taking");
        await journal.Gate(gate).Task.WaitAsync(Context.ConnectionAborted);
        try
        {
            await foreach (var item in items) journal.Note(scope, item);
            journal.Note(scope, "complete");
        }
        catch (HubException error)
        {
            journal.Note(scope, error.Message);
            throw;
        }
        catch (Exception)
        {
            journal.Note(scope, "lost");
            throw;
        }
    }

    public async IAsyncEnumerable<object?> EchoStream(IAsyncEnumerable<object?> items)
    {
        await foreach (var item in items) yield return item;
    }

    public async Task<int> SumOfProducts(IAsyncEnumerable<int> left, IAsyncEnumerable<int> right)
    {
        var sum = 0;
        await using var other = right.GetAsyncEnumerator();
        await foreach (var number in left)
        {
            if (await other.MoveNextAsync()) sum += number * other.Current;
        }
        return sum;
    }

    // Client results

    public Task<string> AskCaller(string target, object? value) => Outcome(Clients.Caller, target, value);

    public Task<string> Ask(string connectionId, string target, object? value) =>
        Outcome(Clients.Client(connectionId), target, value);

    private static async Task<string> Outcome(ISingleClientProxy client, string target, object? value)
    {
        try
        {
            return "result " + JsonSerializer.Serialize(await client.InvokeAsync<object?>(target, value, default));
        }
        catch (Exception error)
        {
            return "error " + error.Message;
        }
    }

    // Groups and addressing

    public Task Join(string group) => Groups.AddToGroupAsync(Context.ConnectionId, group);

    public Task Leave(string group) => Groups.RemoveFromGroupAsync(Context.ConnectionId, group);

    public Task JoinFor(string connectionId, string group) => Groups.AddToGroupAsync(connectionId, group);

    public string?[] WhoAmI() => [Context.ConnectionId, Context.UserIdentifier];

    public Task Say(string audience, string[] names, string text) => Audience(audience, names).SendAsync("said", text);

    public Task SayTwo(string target, object? first, object? second) => Clients.Caller.SendAsync(target, first, second);

    private IClientProxy Audience(string audience, string[] names) => audience switch
    {
        "all" => Clients.All,
        "allExcept" => Clients.AllExcept(names),
        "others" => Clients.Others,
        "caller" => Clients.Caller,
        "client" => Clients.Client(names[0]),
        "clients" => Clients.Clients(names),
        "group" => Clients.Group(names[0]),
        "groups" => Clients.Groups(names),
        "groupExcept" => Clients.GroupExcept(names[0], names[1..]),
        "othersInGroup" => Clients.OthersInGroup(names[0]),
        "user" => Clients.User(names[0]),
        "users" => Clients.Users(names),
        _ => throw new HubException("no such audience"),
    };

    // Lifetime

    public void AbortMe() => Context.Abort();

    public override async Task OnConnectedAsync()
    {
        var query = Context.GetHttpContext()!.Request.Query;
        journal.Note(Context.ConnectionId, "connected");
        if (query.TryGetValue("scope", out var scope)) journal.Note(scope!, Context.ConnectionId);
        if (query.ContainsKey("welcome")) await Clients.Caller.SendAsync("said", "welcome");
        if (query.TryGetValue("gate", out var gate)) await journal.Gate(gate!).Task;
        if (query.TryGetValue("refuse", out var text)) throw new HubException(text);
        if (query.ContainsKey("break")) throw new InvalidOperationException("secret");
    }

    public override Task OnDisconnectedAsync(Exception? exception)
    {
        journal.Note(Context.ConnectionId, "disconnected: " + (exception?.Message ?? "in order"));
        return Task.CompletedTask;
    }

    protected string Protected() => "reached";

    public record Person(string Name, int Rank, string? Note);
}

/// <summary>Tells clients the messages of all errors.</summary>
public sealed class DetailedHub(Journal journal) : ReferenceHub(journal);

/// <summary>Runs two invocations of a client at a time.</summary>
public sealed class ParallelHub(Journal journal) : ReferenceHub(journal);

/// <summary>Loses its patience soon.</summary>
public sealed class HastyHub(Journal journal) : ReferenceHub(journal);

/// <summary>Offers WebSockets only.</summary>
public sealed class WebSocketsHub(Journal journal) : ReferenceHub(journal);

/// <summary>Keeps clients through lost sockets.</summary>
public sealed class StatefulHub(Journal journal) : ReferenceHub(journal);
