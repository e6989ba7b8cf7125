// A SignalR hub of the real ASP.NET Core, to know that the contract suite is right. Prints its url; ends with its input.
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.SignalR;

var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.ClearProviders();
builder.WebHost.UseUrls("http://127.0.0.1:0");
builder.Services.AddSingleton<Journal>();
builder.Services.AddSingleton<IUserIdProvider, HeaderUser>();
// For all hubs: it cannot be set for one.
builder.Services.AddConnections(options => options.DisconnectTimeout = TimeSpan.FromSeconds(3));
builder.Services.AddSignalR()
    .AddHubOptions<DetailedHub>(options => options.EnableDetailedErrors = true)
    .AddHubOptions<ParallelHub>(options => options.MaximumParallelInvocationsPerClient = 2)
    .AddHubOptions<HastyHub>(options =>
    {
        options.HandshakeTimeout = TimeSpan.FromMilliseconds(300);
        options.KeepAliveInterval = TimeSpan.FromMilliseconds(100);
        options.ClientTimeoutInterval = TimeSpan.FromMilliseconds(600);
    });

var app = builder.Build();
app.MapHub<ReferenceHub>("/hub");
app.MapHub<DetailedHub>("/detailed");
app.MapHub<ParallelHub>("/parallel");
app.MapHub<HastyHub>("/hasty", options =>
{
    options.LongPolling.PollTimeout = TimeSpan.FromMilliseconds(100);
});
app.MapHub<WebSocketsHub>("/websockets", options =>
{
    options.Transports = Microsoft.AspNetCore.Http.Connections.HttpTransportType.WebSockets;
});
app.MapHub<StatefulHub>("/stateful", options => options.AllowStatefulReconnects = true);
// Where ours acknowledges more often; here it is once in a second everywhere.
app.MapHub<StatefulHub>("/acknowledging", options => options.AllowStatefulReconnects = true);

await app.StartAsync();
Console.WriteLine(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
_ = Task.Run(() =>
{
    while (Console.In.Read() >= 0) { }
    app.Lifetime.StopApplication();
});
await app.WaitForShutdownAsync();

/// <summary>Users by a header: this is about what users get, not about proving who they are.</summary>
sealed class HeaderUser : IUserIdProvider
{
    public string? GetUserId(HubConnectionContext connection) =>
        connection.GetHttpContext()?.Request.Headers["X-User"].FirstOrDefault();
}
