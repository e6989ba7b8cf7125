// ASP.NET Core SignalR with the methods of the benchmark's hub. It speaks with its parent in lines of JSON, as all
// children do: its port first, then what its heap holds after a collection, for each line that it gets.
using System.Text.Json;
using Microsoft.AspNetCore.SignalR;

var builder = WebApplication.CreateSlimBuilder();
builder.Logging.ClearProviders();
builder.WebHost.UseUrls("http://127.0.0.1:0");
builder.Services.AddSignalR(options =>
{
    // Long enough that no ping comes during a measurement: every message that the load counts is an answer.
    options.KeepAliveInterval = TimeSpan.FromMinutes(10);
});

var app = builder.Build();
app.MapHub<BenchHub>("/hub");
await app.StartAsync();
Say(new Uri(app.Urls.First()).Port);

while (await Console.In.ReadLineAsync() is not null)
{
    GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    Say(GC.GetTotalMemory(forceFullCollection: true));
}
// The parent is gone.
Environment.Exit(0);

static void Say(object result)
{
    Console.WriteLine(JsonSerializer.Serialize(new { result }));
    Console.Out.Flush();
}

sealed class BenchHub : Hub
{
    private const string Everybody = "everybody";

    [HubMethodName("echo")]
    public string Echo(string text) => text;

    [HubMethodName("join")]
    public Task Join() => Groups.AddToGroupAsync(Context.ConnectionId, Everybody);

    [HubMethodName("toAll")]
    public Task ToAll(string text) => Clients.All.SendAsync("Response_VM", new[] { "Board", text });

    [HubMethodName("toGroup")]
    public Task ToGroup(string text) => Clients.Group(Everybody).SendAsync("Response_VM", new[] { "Board", text });
}
