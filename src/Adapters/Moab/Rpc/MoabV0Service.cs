using Grpc.AspNetCore.Server.Model;
using Microsoft.Extensions.Options;
using TaskQueue.Adapters.Moab.Wire;

namespace TaskQueue.Adapters.Moab.Rpc;

/// <summary>
/// The service <c>com.evrblk.moab.v0.MoabApi</c>, whose clients have one of two sets of field numbers: see Protos/moab_v0.proto and
/// Protos/moab_v0_first.proto.
/// </summary>
internal sealed class MoabV0Service
{
    /// <summary>Its RPCs.</summary>
    internal sealed class Methods(IOptions<MoabOptions> options) : IServiceMethodProvider<MoabV0Service>
    {
        private readonly MoabNumbering _numbering = options.Value.V0Numbering;

        public void OnServiceMethodDiscovery(ServiceMethodProviderContext<MoabV0Service> context)
        {
            var methods = new GrpcMethods<MoabV0Service>(context, MoabGrpc.V0);
            methods.Add(MoabRpcs.CreateQueue, WireSettings.Parser, WireRequests.ToCreateQueue, WireAnswers.Queue);
            methods.Add(MoabRpcs.GetQueue, WireName.Parser, WireRequests.ToQueue, reply => WireAnswers.Queue(reply, _numbering));
            methods.Add(MoabRpcs.UpdateQueue, WireSettings.Parser, WireRequests.ToUpdateQueue, WireAnswers.Queue);
            methods.Add(MoabRpcs.DeleteQueue, WireName.Parser, WireRequests.ToQueue, WireAnswers.Nothing);
            methods.Add(MoabRpcs.ListQueues, WireQueueList.Parser, WireRequests.ToListQueues, WireAnswers.Queues);
            methods.Add(MoabRpcs.PurgeQueue, WireName.Parser, WireRequests.ToQueue, WireAnswers.Nothing);
            methods.Add(MoabRpcs.Enqueue, WireEnqueue.Parser, WireRequests.ToEnqueue, WireAnswers.Tasks);
            methods.Add(MoabRpcs.DequeueOfGrpc, WireDequeue.Parser, WireRequests.ToDequeue, WireAnswers.Tasks);
            methods.Add(MoabRpcs.ReportStatus, WireReport.Parser, WireRequests.ToReport, WireAnswers.Report);
            methods.Add(MoabRpcs.GetTask, WireName.Parser, WireRequests.ToTask, WireAnswers.Task);
            methods.Add(MoabRpcs.ListTasksOfGrpc, WireList.Parser, WireRequests.ToListTasks, WireAnswers.TaskPage);
            methods.Add(MoabRpcs.DeleteTasks, WireTaskIds.Parser, WireRequests.ToDeleteTasks, WireAnswers.Nothing);
            methods.Add(MoabRpcs.RestartTasks, WireRestart.Parser, WireRequests.ToRestartTasks, WireAnswers.Restart);
            methods.AddRaw(MoabRpcs.CreateSchedule, request => WireRequests.ToCreateSchedule(request, NumberingOf(request)), Schedule);
            methods.Add(MoabRpcs.GetSchedule, WireName.Parser, WireRequests.ToSchedule, reply => WireAnswers.Schedule(reply, _numbering));
            methods.AddRaw(MoabRpcs.UpdateSchedule, request => WireRequests.ToUpdateSchedule(request, NumberingOf(request)), Schedule);
            methods.Add(MoabRpcs.DeleteSchedule, WireName.Parser, WireRequests.ToSchedule, WireAnswers.Nothing);
            methods.Add(MoabRpcs.ListSchedules, WireList.Parser, WireRequests.ToListSchedules,
                reply => WireAnswers.Schedules(reply, _numbering));
        }

        private static WireScheduleAnswer Schedule(byte[] request, MoabScheduleAnswer reply) =>
            WireAnswers.Schedule(reply, NumberingOf(request));

        /// <summary>Without any of the fields that moved, only the present numbers have a time zone.</summary>
        private static MoabNumbering NumberingOf(byte[] request) => Numbers.OfSchedule(request) ?? MoabNumbering.Present;
    }
}
